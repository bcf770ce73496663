"""Classifies texts with a Transformer encoder, pretrained or trained from scratch."""
