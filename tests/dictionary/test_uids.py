"""The registry of UIDs and what is told apart with it."""

import pytest
from pydicom._uid_dict import UID_dictionary
from pydicom.uid import UID
from pynetdicom import sop_class as pynetdicom_sop_classes

from isocenter.dictionary import sop_classes
from isocenter.dictionary.sop_classes import STORAGE_SOP_CLASSES, is_other_service, is_storage
from isocenter.dictionary.transfer_syntaxes import (
    DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN,
    EXPLICIT_VR_BIG_ENDIAN,
    EXPLICIT_VR_LITTLE_ENDIAN,
    IMPLICIT_VR_LITTLE_ENDIAN,
    TRANSFER_SYNTAXES,
    transfer_syntax,
)
from isocenter.dictionary.uids import is_valid_uid, lookup_uid, uid_name

CT = "1.2.840.10008.5.1.4.1.1.2"


def test_a_registered_uid_has_a_name_a_type_and_a_keyword() -> None:
    entry = lookup_uid(CT)
    assert entry is not None
    assert entry == (CT, "CT Image Storage", "SOP Class", "CTImageStorage", False)
    assert uid_name(CT) == "CT Image Storage"


def test_every_uid_that_pydicom_knows_is_known() -> None:
    for uid, (name, kind, _, retired, keyword) in UID_dictionary.items():
        assert lookup_uid(uid) == (uid, name, kind, keyword, bool(retired))


@pytest.mark.parametrize("uid", ["1.2.3", "", "1.2.840.10008.5.1.4.1.1.40"])
def test_a_uid_without_a_name_is_its_own_name(uid: str) -> None:
    assert uid_name(uid) == uid


@pytest.mark.parametrize("uid", ["1", "1.2.3", "0.0", "1.02.3", "2.25." + "1" * 59])
def test_valid_uids(uid: str) -> None:
    assert is_valid_uid(uid)


@pytest.mark.parametrize(
    "uid",
    ["", ".", "1.", ".1", "1..2", "1.2 ", "1.2\0", "1.2\n", "1.a", "1.２", "2.25." + "1" * 60],
)
def test_invalid_uids(uid: str) -> None:
    assert not is_valid_uid(uid)


# Pixel data there is a URL, or there is none; pydicom says encapsulated of all it does not know.
NOT_ENCAPSULATED = {"94", "95", "204", "205", "6.1", "6.2", "1.20"}
PAPYRUS = "1.2.840.10008.1.20"


@pytest.mark.parametrize("uid", TRANSFER_SYNTAXES)
def test_transfer_syntaxes_have_the_form_that_pydicom_gives_them(uid: str) -> None:
    ours, theirs = TRANSFER_SYNTAXES[uid], UID(uid)
    assert ours.little_endian == theirs.is_little_endian
    assert ours.implicit_vr == (theirs.is_implicit_VR or uid == PAPYRUS)
    if ours.encapsulated != theirs.is_encapsulated:
        assert any(uid.endswith("." + end) for end in NOT_ENCAPSULATED)
    if ours.deflated != theirs.is_deflated:
        assert "Deflate" in ours.name
    assert "Deflate" not in ours.name or ours.deflated or "Frame" in ours.name


def test_the_four_uncompressed_syntaxes_have_constants() -> None:
    assert IMPLICIT_VR_LITTLE_ENDIAN[2:] == (True, True, False, False)
    assert EXPLICIT_VR_LITTLE_ENDIAN[2:] == (False, True, False, False)
    assert DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN[2:] == (False, True, True, False)
    assert EXPLICIT_VR_BIG_ENDIAN[2:] == (False, False, False, False)


def test_an_unknown_transfer_syntax_is_taken_for_a_compressed_one() -> None:
    unknown = transfer_syntax("1.2.3.4")
    assert unknown[2:] == (False, True, False, True)
    assert unknown.name == "1.2.3.4"
    assert transfer_syntax(IMPLICIT_VR_LITTLE_ENDIAN.uid) is IMPLICIT_VR_LITTLE_ENDIAN


def test_every_storage_sop_class_that_pynetdicom_knows_is_storage() -> None:
    assert set(pynetdicom_sop_classes._STORAGE_CLASSES.values()) <= STORAGE_SOP_CLASSES


@pytest.mark.parametrize(
    "uid",
    [
        CT,
        "1.2.840.10008.5.1.4.1.1.6",  # Ultrasound Image, retired
        "1.2.840.10008.5.1.1.30",  # Hardcopy Color Image, retired
        "1.2.840.10008.5.1.4.34.7",  # RT Beams Delivery Instruction
        "1.2.840.10008.5.1.4.38.1",  # Hanging Protocol
        "1.2.840.10008.5.1.4.1.1.66.7",  # Label Map Segmentation
    ],
)
def test_storage_sop_classes_are_storage(uid: str) -> None:
    assert is_storage(uid)
    assert not is_other_service(uid)


def test_named_services_are_not_storage() -> None:
    named = {
        name: value
        for name, value in vars(sop_classes).items()
        if name.isupper() and isinstance(value, str) and not name.startswith("_")
    }
    assert len(named) == 14
    for uid in named.values():
        assert is_other_service(uid)
        assert not is_storage(uid)


@pytest.mark.parametrize(
    "uid",
    [
        "1.2.840.10008.1.3.10",  # Media Storage Directory
        "1.2.840.10008.1.20.2",  # Storage Commitment Pull Model
        "1.2.840.10008.4.2",  # Storage Service Class
        "1.2.840.10008.5.1.1.9",  # Basic Grayscale Print Management Meta
        "1.2.840.10008.1.2",  # a transfer syntax
    ],
)
def test_other_registered_uids_are_other_services(uid: str) -> None:
    assert is_other_service(uid)


def test_a_private_sop_class_is_neither() -> None:
    assert not is_storage("1.2.3")
    assert not is_other_service("1.2.3")
