"""Which context carries an instance, which conversion that takes, and what is proposed for it."""

from typing import NamedTuple

import pytest

from isocenter.services.store_contexts import (
    MAX_CONTEXTS,
    StoreContexts,
    in_shares,
    proposed_kinds,
)
from isocenter.upperlayer.contexts import AcceptedContext

CT, MR = "1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.5.1.4.1.1.4"
IMPLICIT, EXPLICIT = "1.2.840.10008.1.2", "1.2.840.10008.1.2.1"
JPEG, MPEG = "1.2.840.10008.1.2.4.50", "1.2.840.10008.1.2.4.102"


class FakeInstance(NamedTuple):
    transfer_syntax_uid: str
    sop_class_uid: str = CT
    sop_instance_uid: str = "1"
    dataset_length: int = 10
    study: int = 1


def accepted(*syntaxes: str) -> StoreContexts:
    """Contexts 1, 3, 5... for CT images."""
    return StoreContexts(
        AcceptedContext(2 * number + 1, CT, syntax) for number, syntax in enumerate(syntaxes)
    )


@pytest.mark.parametrize(
    ("stored", "syntaxes", "context_id", "conversion"),
    [
        (JPEG, (EXPLICIT, JPEG), 3, ""),
        (JPEG, (IMPLICIT, EXPLICIT), 3, EXPLICIT),
        (JPEG, (IMPLICIT,), 1, IMPLICIT),
        (EXPLICIT, (IMPLICIT,), 1, IMPLICIT),
        (IMPLICIT, (JPEG, EXPLICIT), 3, EXPLICIT),
        (EXPLICIT, (EXPLICIT, EXPLICIT), 1, ""),
        (MPEG, (IMPLICIT, MPEG), 3, ""),
    ],
)
def test_as_stored_first_then_the_best_conversion(stored, syntaxes, context_id, conversion):
    contexts, instance = accepted(*syntaxes), FakeInstance(stored)
    assert contexts.objection(instance) == ""
    assert contexts.context_for(instance) == context_id
    assert contexts.conversion_for(instance) == conversion


@pytest.mark.parametrize(
    ("instance", "objection"),
    [
        (FakeInstance(MPEG), f"Transfer syntax not accepted: {MPEG}"),
        (FakeInstance("1.2.3.4"), "Transfer syntax not accepted: 1.2.3.4"),
        (FakeInstance(EXPLICIT, MR), f"SOP class not accepted: {MR}"),
    ],
)
def test_what_no_conversion_reaches_is_objected_to(instance: FakeInstance, objection: str):
    contexts = accepted(EXPLICIT, IMPLICIT)
    assert contexts.objection(instance) == objection
    assert len(objection) <= 64


def test_nothing_is_compressed():
    assert accepted(JPEG).objection(FakeInstance(EXPLICIT))


@pytest.mark.parametrize(
    ("syntaxes", "beside"),
    [
        ((JPEG,), [(EXPLICIT, IMPLICIT)]),
        ((EXPLICIT,), [(IMPLICIT,)]),
        ((JPEG, IMPLICIT), [(EXPLICIT,)]),
        ((EXPLICIT, IMPLICIT, JPEG), []),
        ((MPEG,), []),
    ],
)
def test_each_class_gets_a_context_for_what_is_converted(syntaxes, beside):
    as_stored = [(CT, (syntax,)) for syntax in syntaxes]
    proposed = proposed_kinds([(CT, syntax) for syntax in syntaxes])
    assert proposed == [*((CT, targets) for targets in beside), *as_stored]


def test_where_there_is_no_room_whatever_is_converted_arrives():
    classes = [f"1.2.{number}" for number in range(60)]
    kinds = [(name, syntax) for name in classes for syntax in (JPEG, EXPLICIT, MPEG)]
    proposed = proposed_kinds(kinds)
    assert len(proposed) == MAX_CONTEXTS
    assert {name for name, syntaxes in proposed if IMPLICIT in syntaxes} == set(classes)


def test_no_more_than_128_contexts_are_proposed():
    assert len(proposed_kinds([(f"1.2.{number}", JPEG) for number in range(500)])) == MAX_CONTEXTS


@pytest.mark.parametrize("syntaxes", [(EXPLICIT,), (MPEG,), (EXPLICIT, IMPLICIT, JPEG)])
def test_shares_have_a_context_for_everything(syntaxes: tuple[str, ...]):
    kinds = [(f"1.2.{number}", syntax) for syntax in syntaxes for number in range(150)]
    shares = in_shares(kinds)
    assert sorted(kind for share in shares for kind in share) == sorted(kinds)
    for share in shares:
        proposed = proposed_kinds(share)
        assert len(proposed) <= MAX_CONTEXTS
        assert {(sop_class, (syntax,)) for sop_class, syntax in share} <= set(proposed)
    assert len(shares) <= 5


def test_what_fits_is_one_share():
    assert in_shares([(CT, JPEG), (MR, EXPLICIT)]) == [[(CT, JPEG), (MR, EXPLICIT)]]
    assert in_shares([]) == []
