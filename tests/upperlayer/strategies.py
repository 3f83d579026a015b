"""Hypothesis strategies for whatever travels in association PDUs."""

from hypothesis import strategies as st

from isocenter.upperlayer.contexts import ContextResult, ProposedContext
from isocenter.upperlayer.pdu import (
    Abort,
    AssociateAC,
    AssociateRJ,
    AssociateRQ,
    PDataTF,
    PresentationDataValue,
    ReleaseRP,
    ReleaseRQ,
)
from isocenter.upperlayer.user_information import (
    CommonExtendedNegotiation,
    ExtendedNegotiation,
    RoleSelection,
    UserIdentity,
    UserInformation,
)
from tests.support.mutations import hostile

octets = st.integers(0, 255)
numbers_16 = st.integers(0, 0xFFFF)
uids = st.lists(st.integers(0, 99999), min_size=2, max_size=8).map(
    lambda components: ".".join(map(str, components))
)
ae_titles = (
    st.text("ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_- ", min_size=1, max_size=16)
    .map(str.strip)
    .filter(bool)
)
version_names = st.text("ABCXYZ_0123456789", max_size=16)
odd_ids = st.integers(0, 127).map(lambda number: 2 * number + 1)

proposed_contexts = st.builds(
    ProposedContext, odd_ids, uids, st.lists(uids, min_size=1, max_size=4).map(tuple)
)
context_results = st.builds(ContextResult, octets, st.integers(0, 4), uids)
role_selections = st.builds(RoleSelection, uids, st.booleans(), st.booleans())
extended_negotiations = st.builds(ExtendedNegotiation, uids, st.binary(max_size=20))
common_extended_negotiations = st.builds(
    CommonExtendedNegotiation, uids, uids, st.lists(uids, max_size=3).map(tuple)
)
user_identities = st.builds(
    UserIdentity,
    st.integers(1, 5),
    st.binary(min_size=1, max_size=30),  # pynetdicom miscounts an empty primary field
    st.binary(max_size=30),
    st.booleans(),
)
user_information = st.builds(
    UserInformation,
    maximum_length=st.integers(0, 0xFFFFFFFF),
    implementation_class_uid=uids,
    implementation_version_name=version_names,
    asynchronous_operations_window=st.none() | st.tuples(numbers_16, numbers_16),
    role_selections=st.lists(role_selections, max_size=3).map(tuple),
    extended_negotiations=st.lists(extended_negotiations, max_size=3).map(tuple),
    common_extended_negotiations=st.lists(common_extended_negotiations, max_size=3).map(tuple),
    user_identity=st.none() | user_identities,
    user_identity_response=st.none() | st.binary(max_size=20),
)
requests = st.builds(
    AssociateRQ,
    ae_titles,
    ae_titles,
    st.lists(proposed_contexts, max_size=5, unique_by=lambda c: c.context_id).map(tuple),
    user_information,
)
responses = st.builds(
    AssociateAC,
    ae_titles,
    ae_titles,
    st.lists(context_results, max_size=5).map(tuple),
    user_information,
)
presentation_data_values = st.builds(
    PresentationDataValue, octets, st.booleans(), st.booleans(), st.binary(max_size=50)
)
pdus = (
    requests
    | responses
    | st.builds(AssociateRJ, octets, octets, octets)
    | st.builds(PDataTF, st.lists(presentation_data_values, max_size=4).map(tuple))
    | st.just(ReleaseRQ())
    | st.just(ReleaseRP())
    | st.builds(Abort, octets, octets)
)
hostile_pdus = hostile(pdus.map(lambda pdu: pdu.encode()))
"""Random bytes, and PDUs that something has happened to."""
