"""Finds names in text, and says where they are."""
