"""The pictures that are served: those of items, and uploads."""
