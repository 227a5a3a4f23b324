"""What goes with an item, or with a person's choices?"""
