"""Schema changes in order, applied when a database is opened."""

HEAD = "0007_items_since"  # the newest revision in versions/; a test compares them
