"""An independent encoder as oracle: the same values must give the same bytes."""

from dataclasses import fields
from io import BytesIO

import pytest
from hypothesis import given, settings
from pynetdicom import dimse_messages, dimse_primitives
from pynetdicom.dimse_messages import _DATASET_KEYWORDS
from pynetdicom.dsutils import encode

from isocenter.dimse.elements import ELEMENTS
from isocenter.dimse.messages import MESSAGE_CLASSES, Message
from tests.dimse.message_strategies import messages

CLASSES = sorted(MESSAGE_CLASSES.values(), key=lambda cls: cls.command_field)

# What pynetdicom 3 cannot express, although PS3.7 lets a response carry it (10.3.5.2).
NOT_IN_PYNETDICOM = {"N-CREATE-RSP": {"attribute_identifier_list"}}


def encode_with_pynetdicom(message: Message) -> bytes:
    name = message.command_name.replace("-", "_")
    primitive = getattr(dimse_primitives, name.rpartition("_R")[0])()
    for field in fields(message):  # type: ignore[arg-type]
        value = getattr(message, field.name)
        if field.name == "has_data_set" or value is None:
            continue
        if isinstance(value, tuple):
            value = list(value) if len(value) > 1 else value[0]
        setattr(primitive, ELEMENTS[field.name].keyword, value)
    if message.has_data_set:
        setattr(primitive, _DATASET_KEYWORDS[name], BytesIO(b"ab"))
    peer_message = getattr(dimse_messages, name)()
    peer_message.primitive_to_message(primitive)
    encoded = encode(peer_message.command_set, True, True)
    assert encoded is not None
    return encoded


@pytest.mark.interop
@pytest.mark.parametrize("cls", CLASSES, ids=lambda cls: cls.command_name)
def test_command_sets_are_byte_identical_to_pynetdicoms(cls: type[Message]) -> None:
    takes_data_set = cls.command_name.replace("-", "_") in _DATASET_KEYWORDS

    @settings(max_examples=20)
    @given(messages(cls))
    def check(message: Message) -> None:
        for name in NOT_IN_PYNETDICOM.get(cls.command_name, ()):
            setattr(message, name, None)
        message.has_data_set = message.has_data_set and takes_data_set
        assert message.encode() == encode_with_pynetdicom(message)

    check()
