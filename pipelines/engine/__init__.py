"""What every task shares and no task knows twice."""
