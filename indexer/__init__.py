"""How an item becomes a vector, and how an index is built and published."""
