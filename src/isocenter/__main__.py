"""`python -m isocenter`: the same as the `isocenter` command."""

from isocenter.cli.main import main

if __name__ == "__main__":
    main()
