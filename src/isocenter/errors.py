"""The root of every error that Isocenter raises.

An error's text is one sentence for the person who reads it: what happened, where, and what to
do about it. It never holds patient data. Each layer derives its own classes beside its code.
"""


class IsocenterError(Exception):
    """Anything that went wrong and that Isocenter can name."""
