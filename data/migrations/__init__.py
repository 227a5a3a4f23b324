"""Schema changes in order, applied when a database is opened."""

HEAD = "0003"  # the newest revision in versions/; a test compares them
