"""The owner's page of figures."""
