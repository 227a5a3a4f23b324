"""How is an index sealed, published, verified, and rolled back?"""
