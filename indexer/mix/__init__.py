"""How much do words, text vectors and pictures count in this catalogue?"""
