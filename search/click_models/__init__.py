"""Where do people look? Click models and position bias."""
