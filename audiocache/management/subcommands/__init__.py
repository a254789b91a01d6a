"""One subcommand a module."""
