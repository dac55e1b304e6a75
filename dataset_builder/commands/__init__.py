"""The subcommands of `videossr`, one file each. They import libraries only when they run, so that `--help` is fast."""
