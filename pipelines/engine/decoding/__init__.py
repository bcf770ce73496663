"""Greedy, sampled and beam search."""
