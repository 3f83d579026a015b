"""The search over SOP classes and transfer syntaxes, against acceptors that are only functions."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isocenter.conformance.probe.matrix import MOST_SYNTAXES, Matrix, Question
from isocenter.upperlayer.contexts import ContextAnswer

SYNTAXES = tuple(f"1.2.{number}" for number in range(63))
CLASSES = tuple(f"1.3.{number}" for number in range(5))

Acceptor = Callable[[Question], tuple[int, str]]


def search(acceptor: Acceptor, batch: int = 127) -> tuple[Matrix, int, int]:
    """Run a whole search; the matrix, the questions and the associations that it took."""
    matrix = Matrix(CLASSES, SYNTAXES)
    asked = associations = 0
    while questions := matrix.next_questions(batch):
        assert len(questions) <= batch
        associations += 1
        for question in questions:
            assert 0 < len(question.transfer_syntaxes) <= MOST_SYNTAXES
            matrix.take(question, *acceptor(question))
            asked += 1
            assert asked < 10_000
    return matrix, asked, associations


def taking(table: Mapping[str, frozenset[str]]) -> Acceptor:
    """Accepts the first syntax of a context that the table has."""

    def accept(question: Question) -> tuple[int, str]:
        if not table[question.sop_class]:
            return ContextAnswer.ABSTRACT_SYNTAX_NOT_SUPPORTED, ""
        for syntax in question.transfer_syntaxes:
            if syntax in table[question.sop_class]:
                return ContextAnswer.ACCEPTANCE, syntax
        return ContextAnswer.TRANSFER_SYNTAXES_NOT_SUPPORTED, ""

    return accept


_tables = st.fixed_dictionaries(
    {sop_class: st.frozensets(st.sampled_from(SYNTAXES)) for sop_class in CLASSES}
)


@given(_tables, st.integers(1, 127))
def test_the_search_finds_exactly_what_an_acceptor_takes(
    table: dict[str, frozenset[str]], batch: int
):
    matrix, _, _ = search(taking(table), batch)
    found = {uid: frozenset(result.accepted) for uid, result in matrix.results.items()}
    assert found == table


@given(st.frozensets(st.sampled_from(SYNTAXES), min_size=1))
def test_acceptors_that_are_alike_cost_few_questions(taken: frozenset[str]):
    _, asked, _ = search(taking(dict.fromkeys(CLASSES, taken)))
    assert asked <= len(CLASSES) * min(len(SYNTAXES) + 2, 2 * len(taken) + 2)


def test_a_class_that_is_refused_costs_one_question():
    matrix, asked, associations = search(taking(dict.fromkeys(CLASSES, frozenset())))
    # Both shares of the syntaxes may be on their way when the first answer comes.
    assert (asked, associations) == (2 * len(CLASSES), 1)
    refusals = {result.refusal for result in matrix.results.values()}
    assert refusals == {ContextAnswer.ABSTRACT_SYNTAX_NOT_SUPPORTED}
    assert search(taking(dict.fromkeys(CLASSES, frozenset())), batch=len(CLASSES))[1] == len(
        CLASSES
    )


def test_an_acceptor_that_looks_at_the_first_syntax_only_is_found_out():
    """As far as some class takes the syntax when it comes first."""
    taken = frozenset(SYNTAXES[:1] + SYNTAXES[20:21])

    def accept(question: Question) -> tuple[int, str]:
        first = question.transfer_syntaxes[0]
        if first in taken:
            return ContextAnswer.ACCEPTANCE, first
        if question.sop_class == CLASSES[0] and SYNTAXES[20] in question.transfer_syntaxes:
            return ContextAnswer.ACCEPTANCE, SYNTAXES[20]
        return ContextAnswer.TRANSFER_SYNTAXES_NOT_SUPPORTED, ""

    matrix, _, _ = search(accept)
    assert all(set(result.accepted) == taken for result in matrix.results.values())


@pytest.mark.parametrize("answer", [1, 2, 3, 4, 17, 255])
def test_a_refusal_of_any_kind_is_kept(answer: int):
    matrix, _, _ = search(lambda _: (answer, ""))
    assert all(result.refusal == answer for result in matrix.results.values())


def test_questions_that_were_not_answered_are_asked_again():
    matrix = Matrix(CLASSES, SYNTAXES)
    questions = matrix.next_questions(3)
    matrix.put_back(questions)
    assert matrix.next_questions(3) == questions


def test_a_question_is_split_until_a_single_syntax_is_left():
    matrix = Matrix(CLASSES[:1], SYNTAXES[:3])
    (question,) = matrix.next_questions(9)
    assert matrix.split(question)
    parts = matrix.next_questions(9)
    assert sorted(uid for part in parts for uid in part.transfer_syntaxes) == list(SYNTAXES[:3])
    assert not matrix.split(Question(CLASSES[0], SYNTAXES[:1]))
