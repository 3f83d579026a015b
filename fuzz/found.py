"""What fuzzing has found so far, for `docs/fuzzing.md`: target, what happened, the test of it."""

FOUND: tuple[tuple[str, str, str], ...] = ()
