"""The systems that a task is compared with."""
