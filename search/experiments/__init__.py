"""How are rankings tested on live searches? Exploration and interleaving."""
