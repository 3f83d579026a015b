"""Names of reasons, and the sentences an operator reads."""

import pytest

from isocenter.upperlayer.events import Aborted
from isocenter.upperlayer.failures import abort_error, rejection_error
from isocenter.upperlayer.pdu import AssociateRJ
from isocenter.upperlayer.reasons import describe_abort, describe_rejection
from tests.upperlayer.links import REQUEST


@pytest.mark.parametrize(
    ("numbers", "words"),
    [
        ((1, 1, 1), "rejected permanently by the service user: no reason given"),
        ((1, 1, 2), "application context name not supported"),
        ((1, 1, 3), "calling AE title not recognized"),
        ((1, 1, 7), "called AE title not recognized"),
        ((1, 1, 4), "reserved reason 4"),
        ((1, 2, 1), "by the service provider, ACSE related: no reason given"),
        ((1, 2, 2), "protocol version not supported"),
        ((2, 3, 1), "rejected transiently by the service provider, presentation related"),
        ((2, 3, 1), "temporary congestion"),
        ((2, 3, 2), "local limit exceeded"),
        ((0, 9, 9), "rejected with reserved result 0 by the reserved source 9: reserved reason 9"),
    ],
)
def test_rejections_are_named_as_in_ps3_8_9_3_4(numbers: tuple[int, int, int], words: str):
    assert words in describe_rejection(*numbers)


@pytest.mark.parametrize(
    ("numbers", "words"),
    [
        ((0, 0), "aborted by the service user"),
        ((0, 6), "aborted by the service user"),
        ((2, 0), "aborted by the service provider: not specified"),
        ((2, 1), "unrecognized PDU"),
        ((2, 2), "unexpected PDU"),
        ((2, 3), "reserved reason 3"),
        ((2, 4), "unrecognized PDU parameter"),
        ((2, 5), "unexpected PDU parameter"),
        ((2, 6), "invalid PDU parameter value"),
        ((1, 0), "reserved source 1"),
    ],
)
def test_aborts_are_named_as_in_ps3_8_9_3_8(numbers: tuple[int, int], words: str):
    assert describe_abort(*numbers).endswith(words) or words in describe_abort(*numbers)


@pytest.mark.parametrize(
    ("reject", "remedy"),
    [
        (AssociateRJ(1, 1, 7), "does not know itself as 'ANY-SCP'"),
        (AssociateRJ(1, 1, 3), "does not know us as 'ISOCENTER'"),
        (AssociateRJ(1, 1, 1), "whether 'ISOCENTER' may call 'ANY-SCP'"),
        (AssociateRJ(2, 3, 2), "try again later or with fewer"),
        (AssociateRJ(2, 3, 1), "try again later"),
        (AssociateRJ(1, 2, 1), "look into its log"),
    ],
)
def test_a_rejection_comes_with_its_remedy(reject: AssociateRJ, remedy: str):
    error = rejection_error("pacs:104", REQUEST, reject)
    assert remedy in str(error)
    assert str(error).startswith("pacs:104 ")
    assert (error.result, error.source, error.reason) == (
        reject.result,
        reject.source,
        reject.reason,
    )


def test_an_abort_says_who_did_it_and_when():
    by_peer = abort_error("pacs:104", "sending", Aborted(2, 6, by_peer=True))
    assert "pacs:104 broke off the association while sending" in str(by_peer)
    assert "invalid PDU parameter value" in str(by_peer)
    by_us = abort_error("pacs:104", "sending", Aborted(2, 1, by_peer=False, diagnosis="it sang"))
    assert str(by_us).endswith("was broken off while sending: it sang.")


def test_a_request_that_was_not_understood_makes_one_think_of_tls() -> None:
    aborted = Aborted(2, 1, by_peer=True, diagnosis="")
    text = str(abort_error("pacs:2762", "waiting for the answer", aborted, requested=True))
    assert "its port may expect TLS" in text
    assert "TLS" not in str(abort_error("pacs:2762", "sending", aborted))
