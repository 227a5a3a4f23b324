"""How are rankings tried on people? Exploration and interleaving."""
