"""Schema changes in order, applied when a database is opened."""

HEAD = "0008_personal_fields"  # the newest revision in versions/; a test compares them
