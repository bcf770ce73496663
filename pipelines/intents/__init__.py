"""Finds what a sentence wants, and the entities in it (Bunk et al. 2020)."""
