"""What to propose for a C-GET: nobody knows before what will come (PS3.4 C.5.3).

An association has room for 128 contexts, and a context for one transfer syntax. So each class gets
one context for what is uncompressed, and the most common images one more per compression.
"""

from __future__ import annotations

from collections.abc import Sequence

from isocenter.dictionary.sop_classes import STORAGE_SOP_CLASSES
from isocenter.dictionary.transfer_syntaxes import (
    EXPLICIT_VR_LITTLE_ENDIAN,
    IMPLICIT_VR_LITTLE_ENDIAN,
)
from isocenter.dictionary.uids import lookup_uid
from isocenter.services.query_retrieve_scu import find_context

MOST_CLASSES = 127  # beside the context of the retrieve itself

UNCOMPRESSED = (EXPLICIT_VR_LITTLE_ENDIAN.uid, IMPLICIT_VR_LITTLE_ENDIAN.uid)
COMPRESSED = (
    "1.2.840.10008.1.2.4.50",  # JPEG Baseline
    "1.2.840.10008.1.2.4.70",  # JPEG Lossless, first-order prediction
    "1.2.840.10008.1.2.4.80",  # JPEG-LS Lossless
    "1.2.840.10008.1.2.4.90",  # JPEG 2000 Lossless
)
_ROOT = "1.2.840.10008.5.1.4.1.1."
_OFTEN_COMPRESSED = tuple(
    _ROOT + number for number in ("1", "1.1", "2", "4", "6.1", "3.1", "7", "12.1")
)
# Rare enough to be left out where not all fit: ophthalmic measurements, lens and implant data,
# presentation states, the radiation records and plans of single techniques and the like.
_RARE = tuple(
    _ROOT + number
    for number in (
        *("9.5.", "9.6.", "9.7.", "9.8", "9.100", "11.", "14.", "68.", "77.1.5.", "78.", "79."),
        *("80", "81.", "82.", "88.68", "88.69", "88.7", "91.", "131", "200.", "201.", "501."),
        *(f"481.{number}" for number in range(10, 26)),
        "601.",
    )
)

Context = tuple[str, Sequence[str]]


def get_contexts(model_uid: str, sop_classes: Sequence[str] = ()) -> list[Context]:
    """The contexts for a C-GET in a model: of the usual storage classes, or of those named.

    Those that are named get a context for every transfer syntax as far as there is room.
    """
    compressible = sop_classes or _OFTEN_COMPRESSED
    compressed = [(uid, (syntax,)) for uid in compressible for syntax in COMPRESSED]
    room = MOST_CLASSES - (0 if sop_classes else len(compressed))
    plain = [(uid, UNCOMPRESSED) for uid in (sop_classes or _usual_classes())[:room]]
    return [find_context(model_uid), *plain, *compressed[: MOST_CLASSES - len(plain)]]


def receiving(contexts: Sequence[Context]) -> list[str]:
    """The storage classes of `get_contexts`, for which we take the SCP role."""
    return list(dict.fromkeys(uid for uid, _ in contexts[1:]))


def _usual_classes() -> list[str]:
    def rank(uid: str) -> tuple[bool, list[int]]:
        rare = uid.startswith(_RARE) or not uid.startswith(_ROOT)
        return rare, [int(part) for part in uid.split(".")]

    entries = map(lookup_uid, STORAGE_SOP_CLASSES)
    return sorted((entry.uid for entry in entries if entry and not entry.retired), key=rank)
