"""How is "this, but in red" composed from an example and words?"""
