"""Wildcard matching outside of a database (PS3.4 C.2.2.2.4)."""

import re
from collections.abc import Callable
from functools import lru_cache


@lru_cache(maxsize=1024)
def wildcard(pattern: str) -> Callable[[str], bool]:
    """Whether a text matches `pattern`: `*` any characters, `?` one, all others literal.

    What stands before each further `*` is sought once and never again, so that no pattern takes
    more time than the lengths of both multiplied.
    """
    first, *rest = re.split(r"\*+", pattern)
    expression = _literal(first)
    if rest:
        expression += "".join(f"(?>.*?{_literal(part)})" for part in rest[:-1] if part)
        expression += f".*{_literal(rest[-1])}"
    matches = re.compile(expression, re.DOTALL).fullmatch
    return lambda text: matches(text) is not None


def _literal(part: str) -> str:
    return ".".join(map(re.escape, part.split("?")))
