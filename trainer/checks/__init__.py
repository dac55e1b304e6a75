"""What is checked before a run reserves any GPU."""
