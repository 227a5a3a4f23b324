"""What does this person prefer? Recent choices, freshness, popularity."""
