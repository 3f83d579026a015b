"""The `isocenter` command: one file per subcommand in `commands`, imported when it is used."""
