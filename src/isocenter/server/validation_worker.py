"""A process that judges one data set after the other, told to by `server.validation`.

It is the converting process with another thing to do: the same bounds of memory and time, the same
socket. What it writes is not a data set but the findings, as JSON.
"""

from __future__ import annotations

import json
from collections.abc import Iterator

from isocenter.dictionary.transfer_syntaxes import transfer_syntax
from isocenter.objects.validator import validate_data_set
from isocenter.server.transcoding_worker import main

JUDGEMENT = "judgement"
"""Stands where a conversion names its transfer syntax."""


class Judgement:
    """The findings of one data set, as a conversion gives its result."""

    def __init__(
        self, data_set: memoryview, source_uid: str, _target_uid: str, _maximum: int
    ) -> None:
        report = validate_data_set(data_set, transfer_syntax(source_uid))
        findings = [
            (one.check, one.severity.name.lower(), one.tag, one.text, one.reference)
            for one in report.findings
        ]
        self._text = json.dumps(findings).encode()
        self.length = len(self._text)

    def __iter__(self) -> Iterator[bytes]:
        yield self._text


if __name__ == "__main__":
    main(Judgement)
