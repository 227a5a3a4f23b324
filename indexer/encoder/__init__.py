"""How does a text or a picture become a vector?"""
