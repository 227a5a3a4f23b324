"""How do an item's parts become one vector?"""
