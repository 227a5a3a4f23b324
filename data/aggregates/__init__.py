"""How often, and by how many people? Counts over the event log."""
