"""Which items match, how well, and in what order?"""
