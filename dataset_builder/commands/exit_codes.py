"""What the exit codes mean."""

OK, FAULTS, USAGE, INTERRUPTED = 0, 1, 2, 130
