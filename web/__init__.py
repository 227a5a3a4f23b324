"""How people and programs reach Magpie: HTTP, page and command line."""
