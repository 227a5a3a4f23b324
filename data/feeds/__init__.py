"""How does a file become items? Readers by format, column mapping, rejects."""
