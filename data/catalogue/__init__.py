"""What is an item? Items, attribute types, inferred labels, upserts."""
