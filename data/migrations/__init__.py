"""Schema changes in order, applied when a database is opened."""

HEAD = "0005_tokens_and_keys"  # the newest revision in versions/; a test compares them
