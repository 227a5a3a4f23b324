"""How is a fusion trained, and when is it better than the average?"""
