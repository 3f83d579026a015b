"""Entries for tests of the index, and of queries over it."""

from isocenter.archive.index import Index, IndexEntry, Outcome
from isocenter.dictionary.elements import tag_for_keyword

CT = "1.2.840.10008.5.1.4.1.1.2"
EXPLICIT_LE = "1.2.840.10008.1.2.1"
EXPLICIT_BE = "1.2.840.10008.1.2.2"


def tag(keyword: str) -> int:
    """The tag of a keyword that exists."""
    found = tag_for_keyword(keyword)
    assert found is not None
    return found


def an_entry(
    number: int = 1,
    *,
    study: str = "1.2.100",
    series: str = "1.2.100.1",
    pack: str = "2024/a.tar",
    offset: int | None = None,
    digest: int = 7,
    syntax: str = EXPLICIT_LE,
    **header: str | bytes,
) -> IndexEntry:
    """An instance `1.2.3.<number>`; header values are given by keyword."""
    values = {
        "StudyInstanceUID": study,
        "SeriesInstanceUID": series,
        "PatientID": "P1",
        **header,
    }
    raw = {
        tag(keyword): value if isinstance(value, bytes) else value.encode()
        for keyword, value in values.items()
    }
    return IndexEntry(
        sop_instance_uid=f"1.2.3.{number}",
        sop_class_uid=CT,
        transfer_syntax_uid=syntax,
        pack=pack,
        offset=number * 1000 if offset is None else offset,
        length=900,
        dataset_offset=132,
        digest=digest,
        received_at=1_700_000_000,
        source_ae="SCANNER",
        header=raw,
    )


def store(index: Index, *entries: IndexEntry) -> list[Outcome]:
    """Submit `entries`, wait, and return what became of them."""
    outcomes: list[Outcome] = []
    for entry in entries:
        index.submit(entry, lambda _, outcome: outcomes.append(outcome))
    index.flush()
    return outcomes
