"""Which of an item's words are encoded and searched? Item text, lexicon, phrases."""
