"""Tables of a conformance statement that exists as text only, as `pdftotext -layout` writes it.

Two sorts of tables are recognized: rows of a SOP class with a yes or no under "SCU" and "SCP" (or
"User" and "Provider"), and rows of presentation contexts, with transfer syntaxes and a role. What
is not understood is told with its line, and nothing is made up for it: a SOP class of which no
transfer syntax was found has none, unless whoever asked says that a list found elsewhere holds for
all (`assume`).
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

import isocenter
from isocenter.conformance.capabilities import (
    ApplicationEntity,
    Capabilities,
    Finding,
    Product,
    Role,
    TransferCapability,
)
from isocenter.conformance.errors import UnusableDescription
from isocenter.conformance.exchange.words import (
    answers_in,
    kind_of,
    named_at_start,
    names_disagree,
    uids_in,
)
from isocenter.dictionary.uids import lookup_uid, uid_name

LARGEST = 8 * 1024 * 1024
MOST_LINES = 200_000
MOST_FINDINGS = 500
_LONGEST_LINE = 2000
_LONGEST_HEADING = 20  # words; more is a sentence

_HEADING = re.compile(
    r"\b(?:(SCU|User)\b.*\b(SCP|Provider)|(SCP|Provider)\b.*\b(SCU|User))\b", re.IGNORECASE
)
_ROLE = re.compile(r"(?<![A-Za-z])(SCU|SCP)(?![A-Za-z])")
_BREAK = re.compile(r"\s*(?:\d+(?:\.\d+)+\.?\s+[A-Z]|Table\b|Figure\b|Page\b)")
"""What a table ends at: the heading of a section, the title of the next table."""


@dataclass(slots=True)
class ReadText:
    """What was found: by SOP class the roles, and transfer syntaxes by SOP class and role."""

    roles: dict[str, set[Role]] = field(default_factory=dict)
    syntaxes: dict[tuple[str, Role], list[str]] = field(default_factory=dict)
    loose: list[str] = field(default_factory=list)
    """Transfer syntaxes of tables that belong to no SOP class."""
    findings: list[Finding] = field(default_factory=list)

    @property
    def without_syntaxes(self) -> list[tuple[str, Role]]:
        """SOP classes and roles of which no transfer syntax is known."""
        wanted = ((uid, role) for uid, roles in self.roles.items() for role in sorted(roles))
        return [one for one in wanted if one not in self.syntaxes]


def read_text(text: str) -> ReadText:
    """What the tables of a text say. Raises UnusableDescription where there is no table."""
    lines = text.split("\n")
    if len(text) > LARGEST or len(lines) > MOST_LINES:
        raise UnusableDescription("The text is longer than any conformance statement.")
    reader = _Reader()
    for number, line in enumerate(lines, 1):
        reader.line(number, line[:_LONGEST_LINE].replace("\f", " "))
    reader.end_row()
    if not reader.read.roles:
        raise UnusableDescription(
            "No table of SOP classes was recognized in the text: it needs rows with the UID or the "
            "name of a SOP class, and yes or no under SCU and SCP, or a role."
        )
    return reader.read


def capabilities_of(
    read: ReadText, *, ae_title: str = "", name: str = "", assume: bool = False
) -> Capabilities:
    """The capabilities that a text tells; `assume` gives loose syntaxes to whoever has none."""
    findings = list(read.findings[:MOST_FINDINGS])
    loose = tuple(read.loose) if assume else ()
    missing = read.without_syntaxes
    if missing and not loose:
        names = ", ".join(uid_name(uid) for uid, _ in missing[:5])
        findings.append(
            Finding(
                id="syntaxes-not-known",
                severity="warning",
                text=f"Of {len(missing)} SOP classes no transfer syntax was found; they are left "
                "out of comparisons.",
                evidence=names,
            )
        )
    capabilities = tuple(
        _capability(uid, role, tuple(read.syntaxes.get((uid, role), ())) or loose)
        for uid, roles in read.roles.items()
        for role in sorted(roles)
    )
    roles = {one.role for one in capabilities}
    return Capabilities(
        kind="import",
        made_by=f"isocenter {isocenter.__version__}, from a text",
        product=Product(name=name),
        entities=(
            ApplicationEntity(
                ae_title=ae_title,
                initiates="SCU" in roles,
                accepts="SCP" in roles,
                capabilities=capabilities,
            ),
        ),
        findings=tuple(findings),
    )


def _capability(uid: str, role: Role, syntaxes: tuple[str, ...]) -> TransferCapability:
    return TransferCapability(
        sop_class=uid,
        role=role,
        proposes=syntaxes if role == "SCU" else (),
        accepts=syntaxes if role == "SCP" else (),
    )


@dataclass(slots=True)
class _Row:
    """A row of a table of presentation contexts, with the lines that continue it."""

    sop_class: str
    roles: set[Role] = field(default_factory=set)
    syntaxes: list[str] = field(default_factory=list)


class _Reader:
    """Goes through the lines once, knowing the table and the row that it is in."""

    def __init__(self) -> None:
        self.read = ReadText()
        self._columns: tuple[Role, Role] | None = None
        self._row: _Row | None = None
        self._empty_lines = 0

    def line(self, number: int, line: str) -> None:
        """The next line."""
        if not line.strip():
            self._empty_lines += 1
            if self._empty_lines > 1:
                self.end_row()
            return
        self._empty_lines = 0
        uids = uids_in(line)
        if not uids and (columns := _columns(line)) is not None:
            self.end_row()
            self._columns = columns
            return
        if not uids and _BREAK.match(line):
            self.end_row()
        self._row_of(number, line, uids)

    def end_row(self) -> None:
        """Take down the row that is open."""
        row, self._row = self._row, None
        if row is None or not row.roles:
            return
        self.read.roles.setdefault(row.sop_class, set()).update(row.roles)
        for role in row.roles if row.syntaxes else ():
            known = self.read.syntaxes.setdefault((row.sop_class, role), [])
            known += [uid for uid in row.syntaxes if uid not in known]

    def _row_of(self, number: int, line: str, uids: list[str]) -> None:
        kinds = {uid: kind_of(uid) for uid in uids}
        classes = [uid for uid, kind in kinds.items() if kind == "SOP class"]
        syntaxes = [uid for uid, kind in kinds.items() if kind == "transfer syntax"]
        self._tell_unknown(number, line, uids)
        if not uids and (named := named_at_start(line)) is not None:
            if named.kind == "transfer syntax":
                syntaxes = [named.uid]
            elif _roles(line) or (self._columns and answers_in(line)):
                classes = [named.uid]  # a sentence that begins with the name says neither
        if classes:
            self.end_row()
            self._begin_row(number, line, classes[0])
        elif self._row is not None:
            self._row.roles |= _roles(line)
        if self._row is not None:
            self._row.syntaxes += syntaxes
        else:
            self.read.loose += [uid for uid in syntaxes if uid not in self.read.loose]

    def _begin_row(self, number: int, line: str, uid: str) -> None:
        if names_disagree(line, uid):
            self._note(
                "name-uid-disagree",
                f"Line {number}: name and UID are of different SOP classes; the UID counts.",
                line,
            )
        self._row = _Row(uid, _roles(line))
        if self._row.roles or self._columns is None:
            return
        answers = answers_in(line.rpartition(uid)[2])
        if len(answers) < len(self._columns) or None in answers[:2]:
            text = f"Line {number}: yes or no is not told for both roles."
            self._note("row-not-read", text, line)
            return
        pairs = zip(self._columns, answers, strict=False)
        self._row.roles = {role for role, yes in pairs if yes}
        self.end_row()

    def _tell_unknown(self, number: int, line: str, uids: list[str]) -> None:
        for uid in uids:
            if uid.startswith("1.2.840.10008.") and lookup_uid(uid) is None:
                text = f"Line {number}: PS3.6 does not know the UID {uid}."
                self._note("unknown-uid", text, line)

    def _note(self, identifier: str, text: str, line: str) -> None:
        if len(self.read.findings) < MOST_FINDINGS:
            evidence = " ".join(line.split())[:300]
            self.read.findings.append(
                Finding(id=identifier, severity="warning", text=text, evidence=evidence)
            )


def _columns(line: str) -> tuple[Role, Role] | None:
    """The order of the two roles in the heading of a table."""
    found = _HEADING.search(line)
    if found is None or len(line.split()) > _LONGEST_HEADING:
        return None
    return ("SCU", "SCP") if found[1] else ("SCP", "SCU")


def _roles(line: str) -> set[Role]:
    """The roles that are named in a row."""
    return {"SCU" if found == "SCU" else "SCP" for found in _ROLE.findall(line)}
