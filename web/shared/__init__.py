"""What do the workers of one server have in common?"""
