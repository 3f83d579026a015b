"""Audit events of any kind, with texts that a peer may send."""

from hypothesis import strategies as st

from isocenter.security.audit import codes
from isocenter.security.audit.codes import Outcome
from isocenter.security.audit.events import (
    Event,
    Node,
    Participant,
    Patient,
    Query,
    Resource,
    Study,
)

texts = st.text(max_size=40)
codes_of_kinds = st.sampled_from((codes.LOGIN, codes.NODE_AUTHENTICATION, codes.TRAIL_BROKEN))

participants = st.builds(
    Participant,
    texts,
    st.booleans(),
    st.lists(texts, max_size=3).map(tuple),
    texts,
    st.lists(st.sampled_from((codes.SOURCE, codes.DESTINATION)), max_size=2).map(tuple),
    st.one_of(texts, st.sampled_from(("192.0.2.7", "fe80::1%eth0", "ct1.example"))),
    st.sampled_from((None, codes.MEDIUM_URI)),
)
counts = st.tuples(texts, st.integers(0, 10**6))
objects = st.one_of(
    st.builds(Patient, texts, texts, texts),
    st.builds(Study, texts, st.lists(counts, max_size=3).map(tuple), texts, texts),
    st.builds(
        Query,
        texts,
        st.binary(max_size=100),
        texts,
        st.integers(0, 200),
        st.lists(st.tuples(texts, texts), max_size=2).map(tuple),
        st.lists(texts, max_size=2).map(tuple),
    ),
    st.builds(Node, texts, texts),
    st.builds(Resource, texts, texts, texts),
)
events = st.builds(
    Event,
    st.sampled_from(sorted(codes.EVENTS.values())),
    st.sampled_from("CRUDE"),
    st.sampled_from(Outcome),
    st.lists(participants, min_size=1, max_size=3).map(tuple),
    st.lists(objects, max_size=4).map(tuple),
    st.lists(codes_of_kinds, max_size=2).map(tuple),
    texts,
    st.floats(0, 4e9),
)
