"""Audit messages (PS3.15 A.5) about what strangers sent: well-formed whatever they wrote in it."""

from collections.abc import Iterator
from xml.etree.ElementTree import fromstring

from fuzz.seeds import DATA_SET_WORDS, SYNTAXES, data_sets
from fuzz.target import Target
from isocenter.archive.index import INDEX_ATTRIBUTES
from isocenter.encoding.errors import EncodingError
from isocenter.encoding.scanner import scan
from isocenter.security.audit import kinds
from isocenter.security.audit.events import Event, Here, Party, Patient, Study
from isocenter.security.audit.messages import encode_message
from isocenter.security.audit.query_subjects import make_query
from isocenter.security.audit.syslog import frame, syslog_message

_HERE = Here(("ISOCENTER",), "node.example", 1)
_WANTED = frozenset(INDEX_ATTRIBUTES)
_NAME, _ID, _ISSUER, _UID, _ACCESSION = 0x00100010, 0x00100020, 0x00100021, 0x0020000D, 0x00080050
_LONGEST = 64 * 1024
"""Bytes of a message about inputs as short as these."""


def one_input(data: bytes) -> None:
    if len(data) < 2:
        return
    syntax, cut, body = SYNTAXES[data[0] % len(SYNTAXES)], data[1] & 63, data[2:]
    said = body[:cut].decode("utf-8", "replace")
    peer = Party(said[:16], "192.0.2.1", said)
    query = make_query("1.2.840.10008.5.1.4.1.2.2.1", body[cut:], syntax.uid, len(body))
    _check(kinds.query(_HERE, peer, query, 0.0), said)
    try:
        header = scan(body[cut:], syntax, _WANTED, final=False).values
    except EncodingError:
        header = dict.fromkeys((_NAME, _ID, _ISSUER, _UID, _ACCESSION), body)
    texts = {tag: value.decode("utf-8", "replace") for tag, value in header.items()}
    patient = Patient(texts.get(_ID, ""), texts.get(_ISSUER, ""), texts.get(_NAME, ""))
    study = Study(texts.get(_UID, ""), (("1.2", 3),), texts.get(_ACCESSION, ""))
    _check(kinds.received(_HERE, peer, (study,), patient, 0.0, failure=said), said)


def _check(event: Event, said: str) -> None:
    xml = encode_message(event, "ISOCENTER@node.example")
    root = fromstring(xml)
    assert [child.tag for child in root].count("AuditSourceIdentification") == 1
    assert len(root.findall("ActiveParticipant")) == len(event.participants)
    assert len(root.findall("ParticipantObjectIdentification")) == len(event.objects)
    message = syslog_message(1, 0.0, xml, host=said, application="isocenter", process=said)
    assert len(message) < _LONGEST
    head, _, rest = message.partition(b"\xef\xbb\xbf")
    assert rest == xml
    assert head.count(b" ") == 8
    assert b"\n" not in message
    assert frame(message) == b"%d %b" % (len(message), message)


def seeds() -> Iterator[bytes]:
    for number, body in data_sets():
        yield bytes((number, 7)) + b"SCANNER" + body
    yield b"\0\x20" + b"<&>\"'\x00\x1b]]>\xef\xbf\xbe" + b"x" * 30


TARGET = Target(
    "peers, patients and queries to audit messages and syslog", one_input, seeds,
    (*DATA_SET_WORDS, b"]]>", b"<!--", b"&#0;", b"\xef\xbf\xbf", b"\xed\xa0\x80"), 2048,
)  # fmt: skip
