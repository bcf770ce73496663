"""One file a documented task, read from top to bottom in the order the data flows."""
