"""Is this file a picture? Decoding in a sandbox, downloads, frames of videos."""
