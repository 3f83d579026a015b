"""Attributes that the index does not keep, read from the stored instances themselves.

An entity above IMAGE is spoken for by its first instance in order of arrival. A header is read
from the front of the data set in growing pieces, and no further than `LONGEST_HEADER`.
"""

import os
from collections.abc import Collection, Mapping, Set
from pathlib import Path
from typing import NamedTuple

import structlog
from sqlalchemy import ColumnElement, Connection, func, select

from isocenter.archive.index.attributes import Level
from isocenter.archive.index.schema import instance, pack, patient, series, study, term
from isocenter.archive.query.visibility import Sees
from isocenter.archive.records import open_pack
from isocenter.dictionary.transfer_syntaxes import TransferSyntax, transfer_syntax
from isocenter.encoding.deflate import inflate_header
from isocenter.encoding.elements import Elements, RawElement, pick_elements
from isocenter.encoding.errors import EncodingError
from isocenter.encoding.forms import LONG_VRS
from isocenter.encoding.limits import ScanLimits
from isocenter.encoding.recoding import SPECIFIC_CHARACTER_SET, neutral_elements

FIRST_PIECE = 16 * 1024
"""Bytes read at once; most headers are shorter."""

LONGEST_HEADER = 1024 * 1024
"""Bytes of a data set, deflated or not, behind which no attribute is looked for."""

_LIMITS = ScanLimits(max_inflated_header=LONGEST_HEADER, max_elements=100_000)

# 64 kB less what another character set than UTF-8 may add to them.
_LONGEST_SHORT_VALUE = 48 * 1024

log = structlog.get_logger(__name__)

# Under their own names, because the query itself is about one of these tables.
_study, _series = study.alias("first_study"), series.alias("first_series")
_instance = instance.alias("first_instance")
_first = select(func.min(_instance.c.id))
_first_of_patient = (
    _first.join_from(_study, _series, _series.c.study == _study.c.id)
    .join(_instance, _instance.c.series == _series.c.id)
    .where(_study.c.patient == patient.c.id)
    .correlate(patient)
)

_FIRST_INSTANCE: dict[Level, ColumnElement[int]] = {
    Level.PATIENT: _first_of_patient.scalar_subquery(),
    Level.STUDY: _first.join_from(_series, _instance, _instance.c.series == _series.c.id)
    .where(_series.c.study == study.c.id)
    .correlate(study)
    .scalar_subquery(),
    Level.SERIES: _first.where(_instance.c.series == series.c.id)
    .correlate(series)
    .scalar_subquery(),
    Level.IMAGE: instance.c.id,
}


def first_instance(level: Level, sees: Sees | None = None) -> ColumnElement[int]:
    """The row of the instance whose header speaks for an entity; one that is seen."""
    if sees is None or level is not Level.PATIENT:
        return _FIRST_INSTANCE[level]
    return _first_of_patient.where(sees(_study)).scalar_subquery()


class Place(NamedTuple):
    """Where an instance's data set lies."""

    pack: str
    start: int
    length: int
    transfer_syntax: str


_PLACES = (
    select(
        instance.c.id,
        pack.c.path,
        instance.c.offset + instance.c.dataset_offset,
        instance.c.length - instance.c.dataset_offset,
        term.c.value,
    )
    .join_from(instance, pack)
    .join(term, term.c.id == instance.c.transfer_syntax)
)


def _sendable(elements: Elements) -> Elements:
    """Without what some stored header holds but no response in explicit VR could (PS3.5 7.1.2)."""
    kept: Elements = {}
    for tag, (vr, value) in elements.items():
        if isinstance(value, list):
            kept[tag] = RawElement(vr, [_sendable(item) for item in value])
        elif vr in LONG_VRS or len(value) <= _LONGEST_SHORT_VALUE:
            kept[tag] = RawElement(vr, value)
    return kept


def locate_data_sets(connection: Connection, numbers: Collection[int]) -> Mapping[int, Place]:
    """Where the data sets of these rows of `instance` lie; one that is gone is left out."""
    rows = connection.execute(_PLACES.where(instance.c.id.in_(numbers)))
    return {number: Place(*place) for number, *place in rows}


class HeaderReader:
    """Reads attributes from packs; the last pack stays open, for its neighbours come next.

    `unreadable` counts the headers that could not be read. For one thread at a time.
    """

    def __init__(self, root: Path) -> None:
        self.unreadable = 0
        self._root = root
        self._pack = ""
        self._fd = -1

    def read(self, place: Place, wanted: Set[int]) -> Elements:
        """The wanted attributes in neutral form; none where the header cannot be read (logged)."""
        try:
            self._open(place.pack)
            found, syntax = self._picked(place, wanted | {SPECIFIC_CHARACTER_SET})
        except (OSError, EncodingError) as error:
            self.unreadable += 1
            log.warning("a stored header could not be read", pack=place.pack, error=str(error))
            return {}
        return _sendable(neutral_elements(found, syntax))

    def close(self) -> None:
        """Close the pack that is open, if any."""
        if self._fd >= 0:
            os.close(self._fd)
        self._fd, self._pack = -1, ""

    def _open(self, pack: str) -> None:
        if pack != self._pack:
            self.close()
            self._fd = open_pack(self._root, pack)
            self._pack = pack

    def _picked(self, place: Place, wanted: Set[int]) -> tuple[Elements, TransferSyntax]:
        syntax = transfer_syntax(place.transfer_syntax)
        longest = min(place.length, LONGEST_HEADER)
        if syntax.deflated:
            inflated = inflate_header(os.pread(self._fd, longest, place.start), _LIMITS)
            syntax = syntax._replace(deflated=False)
            return pick_elements(inflated, syntax, wanted, _LIMITS)[0], syntax
        size = FIRST_PIECE
        while True:
            head = os.pread(self._fd, min(size, longest), place.start)
            found, complete = pick_elements(head, syntax, wanted, _LIMITS)
            if complete or size >= longest:
                return found, syntax
            size *= 4
