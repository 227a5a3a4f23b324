"""Schema changes in order, applied when a database is opened."""

HEAD = "0010_origins"  # the newest revision in versions/; a test compares them
