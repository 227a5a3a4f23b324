"""Schema changes in order, applied when a database is opened."""

HEAD = "0009_kind_counts"  # the newest revision in versions/; a test compares them
