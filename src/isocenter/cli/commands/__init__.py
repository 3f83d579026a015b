"""The subcommands. Each module is imported only when its command, or its help, is asked for."""
