"""What an AE title may be (PS3.5 6.2, VR AE). Needs no pydantic: the commands ask here too."""

from __future__ import annotations

RULE = "1 to 16 printable ASCII characters, no backslash"


def is_ae_title(text: str) -> bool:
    """Whether `text`, its padding stripped, is an AE title."""
    title = text.strip(" ")
    return 1 <= len(title) <= 16 and "\\" not in title and all(" " <= c <= "~" for c in title)
