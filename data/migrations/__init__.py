"""Schema changes in order, applied when a database is opened."""

HEAD = "0006_searches_by_session"  # the newest revision in versions/; a test compares them
