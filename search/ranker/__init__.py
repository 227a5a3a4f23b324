"""How does the learned ranker reorder candidates?"""
