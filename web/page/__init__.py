"""The search page: its state, views, texts, templates and scripts."""
