"""Titles and ports that need no pydantic: the commands ask here as well as the configuration."""

from __future__ import annotations

DEFAULT_PORT = 11112  # registered with IANA for DICOM ("dicom"), PS3.8 9.1
DEFAULT_TLS_PORT = 2762  # "dicom-tls", PS3.15 B.12
RULE = "1 to 16 printable ASCII characters, no backslash"


def is_ae_title(text: str) -> bool:
    """Whether `text`, its padding stripped, is an AE title (PS3.5 6.2, VR AE)."""
    title = text.strip(" ")
    return 1 <= len(title) <= 16 and "\\" not in title and all(" " <= c <= "~" for c in title)
