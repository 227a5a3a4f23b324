"""How a query becomes ranked hits."""
