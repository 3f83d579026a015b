"""Hypothesis strategies for every DIMSE message class, derived from the classes' own plans."""

from dataclasses import MISSING, fields

from hypothesis import strategies as st

from isocenter.dimse.messages import MESSAGE_CLASSES, Message

uids = st.from_regex(r"[12]\.(0|[1-9][0-9]{0,5})(\.(0|[1-9][0-9]{0,9})){1,4}", fullmatch=True)
unsigned_shorts = st.integers(0, 0xFFFF)
printable = st.characters(min_codepoint=0x21, max_codepoint=0x7E, exclude_characters="\\")
tags = st.lists(st.integers(0x00020000, 0xFFFFFFFF), min_size=1, max_size=5).map(tuple)

VALUES = {
    "affected_sop_class_uid": uids,
    "requested_sop_class_uid": uids,
    "affected_sop_instance_uid": uids,
    "requested_sop_instance_uid": uids,
    "move_destination": st.text(printable, min_size=1, max_size=16),
    "move_originator_application_entity_title": st.text(printable, min_size=1, max_size=16),
    "priority": st.sampled_from([0, 1, 2]),
    "has_data_set": st.booleans(),
    "offending_element": tags,
    "attribute_identifier_list": tags,
    "error_comment": st.text(printable, min_size=1, max_size=64),
}


@st.composite
def messages(draw: st.DrawFn, message_class: type[Message] | None = None) -> Message:
    """Any message with any mixture of its optional elements."""
    cls = message_class or draw(st.sampled_from(sorted(MESSAGE_CLASSES.values(), key=repr)))
    arguments = {}
    for field in fields(cls):  # type: ignore[arg-type]
        if field.default is MISSING or draw(st.booleans()):
            arguments[field.name] = draw(VALUES.get(field.name, unsigned_shorts))
    return cls(**arguments)
