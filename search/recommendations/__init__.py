"""Which items suit an item, or a person's choices?"""
