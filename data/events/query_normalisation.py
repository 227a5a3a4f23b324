"""The words of a search as people type them → the key under which everything learned about them is kept."""

import unicodedata


def query_key(text: str) -> str:
    """The words in lower case, single-spaced, in Unicode's composed form; "" for a search without words."""
    return " ".join(unicodedata.normalize("NFC", text).casefold().split())
