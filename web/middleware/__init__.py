"""What stands before every route: access, limits, origins, proxies, metrics."""
