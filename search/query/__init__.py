"""What is meant? A request becomes a parsed query."""
