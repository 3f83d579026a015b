"""Fills the matrix: batches of contexts, one association each, as many as the peer takes."""

from __future__ import annotations

from isocenter.conformance.probe.calling import Answer, Caller, TimeIsUp
from isocenter.conformance.probe.findings import Findings
from isocenter.conformance.probe.matrix import Matrix, Question
from isocenter.dictionary.uids import uid_name
from isocenter.services.association import MAX_CONTEXTS
from isocenter.services.verification_scu import VERIFICATION_CONTEXT
from isocenter.upperlayer.contexts import ContextAnswer

MOST_FAILURES = 40
"""Associations that may come to nothing before the search is given up."""


class ContextSearch:
    """Asks all questions of a matrix.

    With `anchored` each association proposes Verification as well, which the peer is known to
    take: some reject an association of which they accept nothing.
    """

    def __init__(
        self, caller: Caller, matrix: Matrix, findings: Findings, *, anchored: bool
    ) -> None:
        self._caller = caller
        self._matrix = matrix
        self._findings = findings
        self._anchor = [VERIFICATION_CONTEXT] if anchored else []
        self._batch = MAX_CONTEXTS - len(self._anchor)
        self._failures = 0
        self.most_contexts = 0
        """The largest number of contexts in one association that was accepted."""

    def run(self) -> bool:
        """Whether everything was asked. Raises TimeIsUp."""
        while questions := self._matrix.next_questions(self._batch):
            if not self._ask(questions):
                return False
        return True

    def _ask(self, questions: list[Question]) -> bool:
        try:
            answer = self._caller.call([*self._anchor, *questions])
        except TimeIsUp:
            self._matrix.put_back(questions)
            raise
        if answer.accepted:
            self._take(questions, answer)
            return True
        self._failures += 1
        if self._failures > MOST_FAILURES or answer.outcome == "unreachable":
            self._findings.fail(
                "search-given-up",
                "The peer failed too often while contexts were proposed; the table is incomplete.",
                answer.text,
            )
            return False
        if len(questions) == 1:
            self._without(questions[0], answer)
        else:
            # Too many for it, or one among them that it cannot stand: halves tell.
            self._batch = max(len(questions) // 2, 1)
            self._matrix.put_back(questions)
        return True

    def _take(self, questions: list[Question], answer: Answer) -> None:
        answered = answer.contexts[len(self._anchor) :]
        self.most_contexts = max(self.most_contexts, len(answer.contexts))
        for question, context in zip(questions, answered, strict=True):
            syntax = context.transfer_syntax
            if context.result != ContextAnswer.ACCEPTANCE or syntax in question.transfer_syntaxes:
                self._matrix.take(question, context.result, syntax)
                continue
            self._findings.fail(
                "answer-not-proposed",
                f"The peer accepted {uid_name(question.sop_class)} in a transfer syntax that was "
                "not proposed.",
                syntax[:64] or "an empty transfer syntax",
            )
            self._matrix.take(question, ContextAnswer.NO_REASON)

    def _without(self, question: Question, answer: Answer) -> None:
        """A single context ended the association."""
        if self._matrix.split(question):
            return
        self._findings.warn(
            "proposal-not-survived",
            f"Proposing {uid_name(question.sop_class)} alone ended the association "
            f"({answer.outcome}).",
            answer.text,
        )
        self._matrix.take(question, ContextAnswer.NO_REASON)
