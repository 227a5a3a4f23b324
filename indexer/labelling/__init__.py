"""Which attribute values can be inferred from vectors?"""
