"""Descriptions of nodes as JSON: they come back as they went, and strangers' are read strictly."""

from __future__ import annotations

import json
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from isocenter.conformance.capabilities import (
    ApplicationEntity,
    Capabilities,
    Connection,
    Finding,
    TransferCapability,
    schema,
)
from isocenter.conformance.documents import LARGEST, from_json, read_file, to_json
from isocenter.conformance.errors import UnusableDescription
from tests.conformance.nodes import CT, EXPLICIT, node

_uids = st.from_regex(r"1\.2\.840\.10008(\.[0-9]{1,3}){1,5}", fullmatch=True)
_texts = st.text(max_size=40)
_capabilities = st.builds(
    TransferCapability,
    sop_class=_uids,
    role=st.sampled_from(["SCU", "SCP"]),
    proposes=st.lists(_uids, max_size=3).map(tuple),
    accepts=st.lists(_uids, max_size=3).map(tuple),
    by_role_selection=st.booleans(),
    options=st.lists(_texts, max_size=2).map(tuple),
)
_entities = st.builds(
    ApplicationEntity,
    ae_title=st.text(max_size=16),
    accepts=st.booleans(),
    checks_called_ae=st.none() | st.booleans(),
    capabilities=st.lists(_capabilities, max_size=3).map(tuple),
)
documents = st.builds(
    Capabilities,
    kind=st.sampled_from(["statement", "probe", "import"]),
    entities=st.lists(_entities, max_size=2).map(tuple),
    connections=st.lists(st.builds(Connection, name=_texts, host=_texts), max_size=2).map(tuple),
    findings=st.lists(
        st.builds(Finding, id=st.just("a-finding"), severity=st.just("note"), text=_texts),
        max_size=2,
    ).map(tuple),
)
_json = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=12),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=12), inner),
    max_leaves=12,
)


@given(documents)
@settings(max_examples=50)
def test_a_document_comes_back_from_json_as_it_was(document: Capabilities):
    assert from_json(to_json(document)) == document


@given(_json, st.sampled_from(list(Capabilities.model_fields)))
def test_a_field_of_any_content_is_taken_or_refused(value: object, field: str):
    text = json.dumps(json.loads(to_json(node())) | {field: value})
    with suppress(UnusableDescription):  # anything else would be a fault
        from_json(text)


@given(st.binary(max_size=60))
def test_bytes_of_any_kind_are_refused_in_a_sentence(data: bytes):
    with pytest.raises(UnusableDescription, match=r"\.$"):
        from_json(data)


@pytest.mark.parametrize(
    "text",
    [
        "[" * 100_000,
        '{"format": ' * 100_000,
        '{"format": "isocenter-capabilities", "version": 2}',
        '{"format": "isocenter-capabilities", "version": 1, "kind": "probe", "tried": NaN}',
        '{"format": "something else"}',
        "[]",
        "null",
        " " * (LARGEST + 1),
    ],
)
def test_what_is_no_document_of_this_version_is_refused(text: str):
    with pytest.raises(UnusableDescription):
        from_json(text)


def test_unknown_fields_are_refused_with_their_place():
    document = json.loads(to_json(node()))
    document["entities"][0]["colour"] = "blue"
    with pytest.raises(UnusableDescription, match=r"entities\.0\.colour"):
        from_json(json.dumps(document))


def test_an_entity_names_connections_that_are_there():
    document = json.loads(to_json(node()))
    document["entities"][0]["connections"] = ["nowhere"]
    with pytest.raises(UnusableDescription, match="nowhere"):
        from_json(json.dumps(document))


def test_the_number_of_transfer_syntaxes_is_bounded():
    document = json.loads(to_json(node()))
    document["entities"][0]["capabilities"] = [
        {"sop_class": CT, "role": "SCP", "accepts": [EXPLICIT] * 257}
    ]
    with pytest.raises(UnusableDescription, match="accepts"):
        from_json(json.dumps(document))


def test_a_file_is_read_within_bounds(tmp_path):
    path = tmp_path / "node.json"
    path.write_text(to_json(node()))
    assert read_file(path) == node()
    with path.open("ab") as stream:
        stream.truncate(LARGEST + 1)
    with pytest.raises(UnusableDescription, match="larger"):
        read_file(path)


def test_the_schema_names_every_field_of_the_document():
    described = schema()
    assert set(described["properties"]) == set(Capabilities.model_fields)
    assert described["additionalProperties"] is False
