"""Who holds the home directory? Locks, whole files, faults of the disk."""
