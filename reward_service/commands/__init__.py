"""The subcommands that the service adds to `videossr`, one per file."""
