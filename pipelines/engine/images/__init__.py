"""Image files and their augmentation."""
