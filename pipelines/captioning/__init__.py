"""Captioning: from images with captions to a SavedModel that describes image files."""
