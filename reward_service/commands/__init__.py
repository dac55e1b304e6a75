"""The subcommands that the service adds to `videossr`, a file each."""
