"""How is something forgotten? Purging, forgetting a client, subject access."""
