"""What the server does beside answering: rebuilds, the query log."""
