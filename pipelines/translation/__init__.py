"""Translation: from parallel sentences to a SavedModel that takes raw text."""
