"""Normalises the words of a search into the key under which everything learned about them is stored."""

import unicodedata


def query_key(text: str) -> str:
    """The words in lower case, single-spaced, in Unicode's composed form; "" for a search without words."""
    return " ".join(unicodedata.normalize("NFC", text).casefold().split())
