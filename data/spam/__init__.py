"""Which events do not count? Validation, click spam, promoted items."""
