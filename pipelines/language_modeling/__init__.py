"""Learns to predict text: the next token from all before it."""
