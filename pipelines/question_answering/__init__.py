"""Finds the answers to questions in texts with a Transformer encoder, pretrained or trained from scratch."""
