"""Storage commitment (PS3.4 Annex J): requests and reports, and what is said in return."""

from collections.abc import Iterator

from fuzz.seeds import DATA_SET_WORDS, SYNTAXES
from fuzz.target import Target, check_error
from isocenter.encoding.errors import EncodingError
from isocenter.services.storage_commitment import (
    CommitmentReport,
    InvalidRequest,
    Reference,
    TooManyInstances,
    decode_report,
    decode_request,
    encode_report,
    encode_request,
)

_MAXIMUM = 20
_REFERENCES = tuple(Reference("1.2.840.10008.5.1.4.1.1.2", f"1.2.3.{n}") for n in range(3))


def one_input(data: bytes) -> None:
    if not data:
        return
    syntax, body = SYNTAXES[data[0] % len(SYNTAXES)], data[1:]
    try:
        uid, references = decode_request(body, syntax, _MAXIMUM)
        assert 0 < len(references) <= _MAXIMUM
        again = decode_request(encode_request(uid, references, syntax), syntax, _MAXIMUM)
        assert again == (uid, references)
    except (EncodingError, InvalidRequest, TooManyInstances) as error:
        check_error(error)
    try:
        report = decode_report(body, syntax, _MAXIMUM)
    except (EncodingError, InvalidRequest) as error:
        check_error(error)
        return
    encoded = encode_report(report, syntax, retrieve_ae="ISOCENTER")
    assert decode_report(encoded, syntax, _MAXIMUM) == report


def seeds() -> Iterator[bytes]:
    report = CommitmentReport("1.2.3", _REFERENCES[:2], {_REFERENCES[2]: 0x0112})
    for number, syntax in enumerate(SYNTAXES):
        yield bytes((number,)) + encode_request("1.2.3", _REFERENCES, syntax)
        yield bytes((number,)) + encode_report(report, syntax, retrieve_ae="ISOCENTER")


TARGET = Target(
    "data sets to the commitment of storage, and back", one_input, seeds, DATA_SET_WORDS, 1024
)
