"""How is a ranker trained from clicks, and when is it published?"""
