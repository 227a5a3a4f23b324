"""The demo shop's workshop: designs, geometry, materials, words; imports nothing of Magpie."""
