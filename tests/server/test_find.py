"""C-FIND of a whole node: extended negotiation, keys of the stored header, the retired model."""

from collections.abc import Iterator
from dataclasses import replace

import pytest

from isocenter.dictionary.sop_classes import PATIENT_STUDY_ONLY_FIND, STUDY_ROOT_FIND
from isocenter.dictionary.transfer_syntaxes import (
    EXPLICIT_VR_BIG_ENDIAN,
    EXPLICIT_VR_LITTLE_ENDIAN,
    IMPLICIT_VR_LITTLE_ENDIAN,
    TransferSyntax,
)
from isocenter.dimse.messages import CFindRQ
from isocenter.encoding.elements import Elements, RawElement, decode_elements, encode_elements
from isocenter.upperlayer.pdu import AssociateAC
from isocenter.upperlayer.user_information import ExtendedNegotiation
from tests.server.support import FIND, Peer, associate_rq, store_all
from tests.server.support_instances import (
    PATIENT_ID,
    PATIENT_NAME,
    SERIES_INSTANCE_UID,
    SOP_INSTANCE_UID,
    STUDY_DATE,
    STUDY_INSTANCE_UID,
    instance,
)
from tests.support.node import Node

SUCCESS, OUT_OF_RESOURCES, MISMATCH = 0x0000, 0xA700, 0xA900
PENDING, WARNING = 0xFF00, 0xFF01
LEVEL, VIEW, RETRIEVE_AE, THICKNESS = 0x00080052, 0x00080053, 0x00080054, 0x00180050
REQUESTS, STEP_ID, ROWS = 0x00400275, 0x00400009, 0x00280010
HEADERS_AT_ONCE = 5


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    """Three studies of two images each; a query may read five headers."""
    folder = tmp_path_factory.mktemp("node")
    config = folder / "isocenter.toml"
    config.write_text(f"[find]\nlimit = 6\nheader_limit = {HEADERS_AT_ONCE}\n")
    with Node(folder / "data", "--config", str(config)) as running:
        assert set(store_all(running.port, map(image, range(6)))) == {SUCCESS}
        yield running


def image(number: int):
    study = f"1.2.3.{number // 2}"
    changed: Elements = {
        PATIENT_NAME: RawElement("PN", [b"Schmidt^Karl", b"Doe^J", b"Roe^R"][number // 2]),
        PATIENT_ID: RawElement("LO", b"P%d" % (number // 2)),
        STUDY_DATE: RawElement("DA", b"20240131"),
        ROWS: RawElement("US", b"\0\2"),
        THICKNESS: RawElement("DS", b"%d.5" % number),
        REQUESTS: RawElement("SQ", [{STEP_ID: RawElement("SH", b"S%d" % number)}]),
    }
    return instance(f"{study}.1.{number}", study=study, pixels=2, changed=changed)


def identifier(level: bytes, **keys: RawElement) -> Elements:
    return {LEVEL: RawElement("CS", level)} | {int(tag[1:], 16): key for tag, key in keys.items()}


STUDIES = identifier(b"STUDY", x0020000D=RawElement("UI", b""))
IMAGES = identifier(
    b"IMAGE",
    x0020000D=RawElement("UI", b"1.2.3.1"),
    x0020000E=RawElement("UI", b"1.2.3.1.1"),
    x00080018=RawElement("UI", b""),
)


def ask(
    node: Node,
    keys: Elements,
    *,
    model: str = STUDY_ROOT_FIND,
    extended: bytes = b"",
    syntax: TransferSyntax = EXPLICIT_VR_LITTLE_ENDIAN,
) -> tuple[list[tuple[int, Elements]], int]:
    """The pending responses and the final status."""
    request = associate_rq((model, syntax.uid))
    if extended:
        proposals = (ExtendedNegotiation(model, extended),)
        information = replace(request.user_information, extended_negotiations=proposals)
        request = replace(request, user_information=information)
    with Peer(node.port) as peer:
        peer.send(request.encode())
        answer = peer.read()
        assert isinstance(answer, AssociateAC)
        agreed = answer.user_information.extended_negotiations
        assert [len(each.information) for each in agreed] == [len(extended)] * bool(extended)
        peer.command(1, CFindRQ(message_id=1, affected_sop_class_uid=model))
        peer.data_set(1, encode_elements(keys, syntax))
        matches = []
        while True:
            response, data_set = peer.read_message()
            if response.status not in (PENDING, WARNING):
                assert peer.released()
                return matches, response.status
            matches.append((response.status, decode_elements(data_set, syntax)))


def uids(matches: list[tuple[int, Elements]], tag: int = STUDY_INSTANCE_UID) -> list[bytes]:
    return sorted(bytes(match[tag].value).rstrip(b"\0") for _, match in matches)


def test_relational_queries_must_be_negotiated(node: Node):
    keys = identifier(b"SERIES", x0020000E=RawElement("UI", b""), x00080020=RawElement("DA", b""))
    assert ask(node, keys) == ([], MISMATCH)
    assert ask(node, keys, extended=b"\0\1") == ([], MISMATCH)
    matches, status = ask(node, keys, extended=b"\1")
    assert status == SUCCESS
    assert uids(matches, SERIES_INSTANCE_UID) == [b"1.2.3.0.1", b"1.2.3.1.1", b"1.2.3.2.1"]


def test_fuzzy_names_must_be_negotiated(node: Node):
    keys = STUDIES | {PATIENT_NAME: RawElement("PN", b"Carl Schmitt")}
    assert ask(node, keys) == ([], SUCCESS)
    matches, _ = ask(node, keys, extended=b"\0\0\1")
    assert uids(matches) == [b"1.2.3.0"]


def test_empty_values_must_be_negotiated(node: Node):
    keys = STUDIES | {0x00080050: RawElement("SH", b'""')}
    assert ask(node, keys) == ([], SUCCESS)
    matches, _ = ask(node, keys, extended=b"\0\0\0\0\0\1")
    assert len(matches) == 3


@pytest.mark.parametrize(
    "syntax",
    [EXPLICIT_VR_LITTLE_ENDIAN, IMPLICIT_VR_LITTLE_ENDIAN, EXPLICIT_VR_BIG_ENDIAN],
    ids=lambda syntax: syntax.name,
)
def test_the_stored_header_answers_in_every_transfer_syntax(node: Node, syntax: TransferSyntax):
    item = {STEP_ID: RawElement("SH", b"S3")}
    keys = IMAGES | {
        THICKNESS: RawElement("DS", b""),
        ROWS: RawElement("US", b""),
        REQUESTS: RawElement("SQ", [item]),
    }
    ((status, match),), final = ask(node, keys, syntax=syntax)
    assert (status, final) == (PENDING, SUCCESS)
    assert match[SOP_INSTANCE_UID].value == b"1.2.3.1.1.3\0"
    assert match[THICKNESS].value == b"3.5 "
    assert match[ROWS].value == (b"\0\2" if syntax.little_endian else b"\2\0")
    assert match[REQUESTS].value == [item]
    assert match[RETRIEVE_AE].value == b"ISOCENTER "


def test_too_many_headers_end_a_query_out_of_resources(node: Node):
    images = identifier(b"IMAGE", x00080018=RawElement("UI", b""), x00180050=RawElement("DS", b""))
    matches, status = ask(node, images, extended=b"\1")
    assert (len(matches), status) == (HEADERS_AT_ONCE, OUT_OF_RESOURCES)
    matches, status = ask(node, STUDIES | {THICKNESS: RawElement("DS", b"")})
    assert (len(matches), status) == (3, SUCCESS)


def test_a_limit_that_is_just_enough_is_no_failure(node: Node):
    images = identifier(b"IMAGE", x00080018=RawElement("UI", b""))
    matches, status = ask(node, images, extended=b"\1")
    assert (len(matches), status) == (6, SUCCESS)


def test_a_view_that_was_not_negotiated_is_told_to_be_unsupported(node: Node):
    matches, _ = ask(node, STUDIES | {VIEW: RawElement("CS", b"CLASSIC")}, extended=bytes(5))
    assert {status for status, _ in matches} == {WARNING}
    assert all(VIEW not in match for _, match in matches)


def test_patient_study_only_is_served(node: Node):
    patients = identifier(b"PATIENT", x00100020=RawElement("LO", b"P1"))
    matches, status = ask(node, patients, model=PATIENT_STUDY_ONLY_FIND)
    assert (len(matches), status) == (1, SUCCESS)
    of_one = STUDIES | {PATIENT_ID: RawElement("LO", b"P1")}
    matches, _ = ask(node, of_one, model=PATIENT_STUDY_ONLY_FIND)
    assert uids(matches) == [b"1.2.3.1"]
    assert ask(node, IMAGES, model=PATIENT_STUDY_ONLY_FIND) == ([], MISMATCH)


def test_a_second_item_in_a_sequence_key_is_refused(node: Node):
    two = [{STEP_ID: RawElement("SH", b"S%d" % number)} for number in range(2)]
    assert ask(node, IMAGES | {REQUESTS: RawElement("SQ", two)}) == ([], MISMATCH)


def test_storage_is_not_negotiated_further(node: Node):
    with Peer(node.port) as peer:
        request = associate_rq(FIND)
        proposals = (ExtendedNegotiation("1.2.840.10008.5.1.4.1.1.2", b"\2"),)
        information = replace(request.user_information, extended_negotiations=proposals)
        peer.send(replace(request, user_information=information).encode())
        answer = peer.read()
        assert isinstance(answer, AssociateAC)
        assert answer.user_information.extended_negotiations == ()
