"""Which events do not count? Click spam, promoted items."""
