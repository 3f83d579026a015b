"""Tables of conformance statements that exist as text: what is recognized, and what is told."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isocenter.conformance.errors import UnusableDescription
from isocenter.conformance.exchange.plain_text import capabilities_of, read_text
from tests.conformance.nodes import CT, EXPLICIT, IMPLICIT, JPEG_LOSSLESS, MR, STUDY_FIND

VERIFICATION = "1.2.840.10008.1.1"
SECONDARY_CAPTURE = "1.2.840.10008.5.1.4.1.1.7"

SERVICES = """\
1  OVERVIEW
Table 1. Network services supported

SOP Classes                           User of Service   Provider of Service
                                      (SCU)             (SCP)
Transfer
Secondary Capture Image Storage       Yes               Yes
MR Image Storage                      Yes               No
Workflow Management
Modality Worklist Information Model - FIND    Yes       No
"""

UIDS = """\
SOP Class Name            SOP Class UID                  SCP   SCU
CT Image Storage          1.2.840.10008.5.1.4.1.1.2      No    Yes
Verification SOP Class    1.2.840.10008.1.1.             Y     Y
"""

CONTEXTS = """\
Table 4. Presentation Contexts for Query
Abstract Syntax                     Transfer Syntax                              Role   Ext.
Name       UID                      Name                     UID                        Neg.
Study Root Query/Retrieve Information Model - FIND
           1.2.840.10008.5.1.4.1.2.2.1  Implicit VR LE       1.2.840.10008.1.2   SCU    None
                                        Explicit VR LE       1.2.840.10008.1.2.1
CT Image   1.2.840.10008.5.1.4.1.1.2    JPEG Lossless        1.2.840.10008.1.2.4.70  SCU, SCP  No


4.2 Supported transfer syntaxes
Implicit VR Little Endian       1.2.840.10008.1.2
Explicit VR Little Endian       1.2.840.10008.1.2.1
"""


def test_yes_and_no_under_user_and_provider_are_roles():
    read = read_text(SERVICES)
    assert read.roles[SECONDARY_CAPTURE] == {"SCU", "SCP"}
    assert read.roles[MR] == {"SCU"}
    assert read.roles["1.2.840.10008.5.1.4.31"] == {"SCU"}
    assert read.findings == []


def test_the_order_of_the_columns_is_that_of_the_heading():
    read = read_text(UIDS)
    assert read.roles == {CT: {"SCU"}, VERIFICATION: {"SCU", "SCP"}}


def test_presentation_contexts_bring_their_transfer_syntaxes():
    read = read_text(CONTEXTS)
    assert read.syntaxes[STUDY_FIND, "SCU"] == [IMPLICIT, EXPLICIT]
    assert read.syntaxes[CT, "SCU"] == read.syntaxes[CT, "SCP"] == [JPEG_LOSSLESS]


def test_transfer_syntaxes_of_no_sop_class_hold_for_others_only_when_somebody_says_so():
    read = read_text(UIDS + "\n\n" + CONTEXTS)
    assert read.loose == [IMPLICIT, EXPLICIT]
    cautious = capabilities_of(read)
    assert cautious.entities[0].capability(VERIFICATION, "SCP").accepts == ()
    assert [one.id for one in cautious.findings] == ["syntaxes-not-known"]
    trusting = capabilities_of(read, assume=True)
    assert trusting.entities[0].capability(VERIFICATION, "SCP").accepts == (IMPLICIT, EXPLICIT)
    assert trusting.entities[0].capability(CT, "SCU").proposes == (JPEG_LOSSLESS,)
    assert trusting.findings == ()


def test_what_could_not_be_read_is_told_with_its_line():
    text = (
        UIDS
        + "PET Image Storage         1.2.840.10008.5.1.4.1.1.128    Option  Yes\n"
        + "Ultrasound Image Storage  1.2.840.10008.5.1.4.1.1.4711   Yes     Yes\n"
        + "MR Image Storage          1.2.840.10008.5.1.4.1.1.6.1    No      Yes\n"
    )
    found = {one.id: one.text for one in read_text(text).findings}
    assert found.keys() == {"row-not-read", "unknown-uid", "name-uid-disagree"}
    assert "Line 4" in found["row-not-read"]
    assert "1.2.840.10008.5.1.4.1.1.4711" in found["unknown-uid"]
    assert "Line 6" in found["name-uid-disagree"]


def test_a_sentence_that_begins_with_a_sop_class_is_no_row():
    assert MR not in read_text(UIDS + "MR Image Storage objects have private attributes.\n").roles


def test_a_text_without_tables_is_refused_with_what_it_needs():
    with pytest.raises(UnusableDescription, match="SCU"):
        read_text("This system supports DICOM.\n")


def test_a_text_without_end_is_refused():
    with pytest.raises(UnusableDescription, match="longer"):
        read_text("\n" * 200_001)


_lines = st.sampled_from(
    [*SERVICES.splitlines(), *UIDS.splitlines(), *CONTEXTS.splitlines(), "", "\f", "x" * 3000]
) | st.text(max_size=80)


@given(st.lists(_lines, max_size=30).map("\n".join))
def test_text_of_any_kind_makes_capabilities_or_is_refused(text: str):
    with suppress(UnusableDescription):
        capabilities_of(read_text(text), assume=True)
