"""How much the bytes of a stranger may cost."""

from dataclasses import dataclass

MEBIBYTE = 1 << 20


@dataclass(frozen=True, slots=True)
class ScanLimits:
    """Bounds for reading a data set that nobody vouches for."""

    max_depth: int = 64
    """Sequences inside sequences; the deepest IODs of PS3.3 need about a dozen."""

    max_elements: int = 500_000
    """Elements, items and fragments walked one by one (those skipped by length are free)."""

    max_value_length: int = 4096
    """Bytes kept of one wanted value; a longer one is clipped."""

    max_inflated_header: int = 8 * MEBIBYTE
    """Bytes inflated to read the header of a deflated data set."""

    max_inflated: int = 512 * MEBIBYTE
    """Bytes that a deflated data set may inflate to."""

    max_inflate_ratio: int = 250
    """Inflated bytes per deflated byte, asked only beyond 32 MiB of output."""


DEFAULT_LIMITS = ScanLimits()
