"""The exit codes."""

OK, FAULTS, USAGE, INTERRUPTED = 0, 1, 2, 130
