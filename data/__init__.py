"""What is stored, and how it is read and written: settings, errors, catalogue, feeds, event log."""
