"""Code shared by all tasks."""
