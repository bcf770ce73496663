"""The training loop, its updates and losses, on one device or many."""
