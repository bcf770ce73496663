"""The documented tasks, and the code that they share."""
