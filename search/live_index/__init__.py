"""What is searchable now? The generation and the changes since."""
