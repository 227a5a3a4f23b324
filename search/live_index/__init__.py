"""What is searchable now? The published generation and the catalogue's changes since."""
