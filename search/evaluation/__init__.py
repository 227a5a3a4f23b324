"""How good and how quick is search? Judgments, golden queries, latency."""
