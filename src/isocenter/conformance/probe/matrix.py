"""Which SOP classes a peer takes in which transfer syntaxes, found with few questions.

An acceptor answers a presentation context with one transfer syntax, so one context per pair would
tell everything: twenty thousand of them. Instead a class is asked about all syntaxes at once. The
one that is chosen is known then, and the rest falls into two halves, each of which is asked about
in turn; a refusal settles a whole half. A class that takes k of n syntaxes costs min(n, 2k + 1)
contexts at most, and every class is asked about in the same association.

More than 32 syntaxes stand in no context: DCMTK 3.6.7 stops answering at 51. A class whose abstract
syntax is refused is not asked about again.

A peer that looks at the first syntaxes of a context only, or at their order, would be taken to
refuse more than it does. So what one class takes, and another refused only among others, is asked
again by itself.

No I/O is here: `next_questions` gives what to propose, `take` is told the answer.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from isocenter.upperlayer.contexts import ContextAnswer

MOST_SYNTAXES = 32
"""Transfer syntaxes in one context."""


class Question(NamedTuple):
    """One presentation context to propose."""

    sop_class: str
    transfer_syntaxes: tuple[str, ...]


@dataclass(slots=True)
class ClassResult:
    """What is known of one SOP class; `refusal` is the answer where no syntax is taken."""

    accepted: list[str] = field(default_factory=list)
    refusal: int | None = None
    refused_alone: set[str] = field(default_factory=set)


class Matrix:
    """The search over SOP classes and transfer syntaxes."""

    def __init__(self, sop_classes: Sequence[str], transfer_syntaxes: Sequence[str]) -> None:
        self.results = {sop_class: ClassResult() for sop_class in sop_classes}
        self._syntaxes = tuple(transfer_syntaxes)
        shares = [
            self._syntaxes[start : start + MOST_SYNTAXES]
            for start in range(0, len(self._syntaxes), MOST_SYNTAXES)
        ]
        self._open = deque(Question(uid, share) for share in shares for uid in self.results)
        self._confirming = False

    def next_questions(self, most: int) -> list[Question]:
        """At most that many questions for one association; none when everything is known.

        They are no longer open: whoever cannot ask one puts it back.
        """
        questions = self._draw(most)
        if not questions and not self._confirming:
            self._confirming = True
            self._open.extend(self._doubtful())
            questions = self._draw(most)
        return questions

    def put_back(self, questions: Iterable[Question]) -> None:
        """Questions that were not answered; they come next."""
        self._open.extendleft(reversed(list(questions)))

    def take(self, question: Question, answer: int, transfer_syntax: str = "") -> None:
        """The answer to a question (PS3.8 Table 9-18); the syntax counts where it accepts."""
        result = self.results[question.sop_class]
        if answer == ContextAnswer.ACCEPTANCE:
            result.refusal = None
            if transfer_syntax not in result.accepted:
                result.accepted.append(transfer_syntax)
            rest = tuple(uid for uid in question.transfer_syntaxes if uid != transfer_syntax)
            self._ask(question.sop_class, rest)
            return
        if not result.accepted:
            result.refusal = answer
        if len(question.transfer_syntaxes) == 1:
            result.refused_alone.add(question.transfer_syntaxes[0])

    def split(self, question: Question) -> bool:
        """Ask a question in two parts, because it could not be answered; False for a single one."""
        if len(question.transfer_syntaxes) < 2:
            return False
        self._ask(question.sop_class, question.transfer_syntaxes)
        return True

    def _draw(self, most: int) -> list[Question]:
        questions: list[Question] = []
        while self._open and len(questions) < most:
            question = self._open.popleft()
            if not self._is_settled(question.sop_class):
                questions.append(question)
        return questions

    def _is_settled(self, sop_class: str) -> bool:
        """Whether the class is refused, whatever its syntax."""
        result = self.results[sop_class]
        return not result.accepted and result.refusal == ContextAnswer.ABSTRACT_SYNTAX_NOT_SUPPORTED

    def _ask(self, sop_class: str, syntaxes: tuple[str, ...]) -> None:
        middle = (len(syntaxes) + 1) // 2
        for part in (syntaxes[:middle], syntaxes[middle:]):
            if part:
                self._open.append(Question(sop_class, part))

    def _doubtful(self) -> list[Question]:
        """Syntaxes that some class takes, for the classes that refused them among others."""
        taken = {uid for result in self.results.values() for uid in result.accepted}
        return [
            Question(sop_class, (syntax,))
            for sop_class, result in self.results.items()
            if result.accepted
            for syntax in self._syntaxes
            if syntax in taken
            and syntax not in result.accepted
            and syntax not in result.refused_alone
        ]
