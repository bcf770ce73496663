"""Image classification: from labelled images to a SavedModel that classifies image files."""
