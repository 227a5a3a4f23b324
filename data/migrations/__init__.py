"""Schema changes in order, applied when a database is opened."""

HEAD = "0004"  # the newest revision in versions/; a test compares them
