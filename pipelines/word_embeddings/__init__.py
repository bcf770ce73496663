"""Word vectors from raw text: skip-gram with negative sampling."""
