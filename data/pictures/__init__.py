"""Is this file a picture, and what is in it? Decoding, in a sandbox; downloads; videos."""
