"""What did people do? The event log in the schema of User Behavior Insights (UBI)."""
