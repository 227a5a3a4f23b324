"""Every table of the insights page, made from the counted figures."""
