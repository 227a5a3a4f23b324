"""How is a home written into one file, and read back?"""
