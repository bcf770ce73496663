"""TFDS builders of the default datasets."""
