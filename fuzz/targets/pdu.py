"""Whole PDUs (PS3.8 9.3): what can be decoded encodes to something that decodes to the same."""

import re
from collections.abc import Iterator

from fuzz.target import Target, check_error
from isocenter.upperlayer.errors import LocalProtocolError, RemoteProtocolError
from isocenter.upperlayer.pdu import (
    Abort,
    AssociateAC,
    AssociateRJ,
    AssociateRQ,
    PDataTF,
    PresentationDataValue,
    ReleaseRP,
    ReleaseRQ,
    decode_pdu,
)
from isocenter.upperlayer.user_information import (
    CommonExtendedNegotiation,
    ExtendedNegotiation,
    RoleSelection,
    UserIdentity,
    UserInformation,
)
from tests.upperlayer.links import REQUEST, RESPONSE

RICH = UserInformation(
    maximum_length=16384,
    implementation_class_uid="1.2.3",
    implementation_version_name="FUZZ",
    asynchronous_operations_window=(3, 5),
    role_selections=(RoleSelection("1.2.840.10008.5.1.4.1.1.2", True, True),),
    extended_negotiations=(ExtendedNegotiation("1.2.840.10008.5.1.4.1.2.2.1", b"\1\1\1"),),
    common_extended_negotiations=(CommonExtendedNegotiation("1.2", "1.3", ("1.4",)),),
    user_identity=UserIdentity(2, b"name", b"secret", True),
    user_identity_response=b"",
)


def one_input(data: bytes) -> None:
    try:
        pdu = decode_pdu(data)
    except RemoteProtocolError as error:
        check_error(error)
        return
    try:
        encoded = pdu.encode()
    except LocalProtocolError as error:  # a name that is longer than we would send ourselves
        check_error(error)
        return
    assert decode_pdu(encoded).encode() == encoded
    if isinstance(pdu, AssociateRQ | AssociateAC) and pdu.user_information.user_identity:
        shown = repr(pdu.user_information.user_identity)  # which no secret may be part of
        assert re.fullmatch(r"UserIdentity\(identity_type=\d+\)", shown)


def seeds() -> Iterator[bytes]:
    rich = AssociateRQ("ISOCENTER", "FUZZER", REQUEST.presentation_contexts, RICH)
    values = (
        PresentationDataValue(1, True, True, b"ab"),
        PresentationDataValue(3, False, False, b""),
    )
    for pdu in (
        REQUEST, RESPONSE, rich, AssociateRJ(1, 1, 7), PDataTF(values), ReleaseRQ(), ReleaseRP(),
        Abort(2, 6),
    ):  # fmt: skip
        yield pdu.encode()


WORDS = (
    *(bytes((item, 0)) for item in (0x10, 0x20, 0x21, 0x30, 0x40, *range(0x50, 0x5A))),
    b"\xff\xff",
    b"\0\0\0\x04",
    b"1.2.840.10008.1.2",
)

TARGET = Target("bytes to `decode_pdu`, and back", one_input, seeds, WORDS, 2048, share=4)
