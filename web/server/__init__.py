"""How do bytes become requests, and who answers them?"""
