"""The documented tasks, and what they share."""
