"""How are vectors, words and attributes looked up? FAISS, tantivy, columns."""
