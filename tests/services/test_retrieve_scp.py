"""How a retrieve is refused when it cannot even begin."""

import asyncio
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor

import pytest
import structlog

from isocenter.dictionary.sop_classes import STUDY_ROOT_GET
from isocenter.dictionary.transfer_syntaxes import IMPLICIT_VR_LITTLE_ENDIAN
from isocenter.dimse.messages import CGetRQ, CGetRSP
from isocenter.encoding.elements import RawElement, encode_elements
from isocenter.errors import IsocenterError
from isocenter.security.access import Rights, Scope
from isocenter.services.find_identifiers import InvalidIdentifier
from isocenter.services.find_operation import IDENTIFIER_LIMIT
from isocenter.services.get_scp import GetOperation
from isocenter.services.retrieve_terms import RetrieveTerms
from isocenter.upperlayer.contexts import AcceptedContext


class FakeSource:
    def __init__(self, error: Exception) -> None:
        self.error = error

    def select(self, model: str, level: str, keys: Mapping[int, str], scope: Scope):
        raise self.error


class FakeAssociation:
    """Keeps what is responded; says when the operation is done."""

    def __init__(self) -> None:
        self.host = "127.0.0.1"
        self.log = structlog.get_logger()
        self.rights = Rights(())
        self.responses: list[CGetRSP] = []
        self.ended = asyncio.Event()

    def respond(self, context_id: int, response: CGetRSP, data_set: bytes | None = None) -> None:
        assert data_set is None
        self.responses.append(response)
        self.ended.set()

    def done(self, operation: object, message_id: int) -> None:
        pass


def final_response(identifier: bytes, error: Exception) -> CGetRSP:
    async def course() -> CGetRSP:
        association = FakeAssociation()
        context = AcceptedContext(1, STUDY_ROOT_GET, IMPLICIT_VR_LITTLE_ENDIAN.uid)
        request = CGetRQ(message_id=5, affected_sop_class_uid=STUDY_ROOT_GET, has_data_set=True)
        with ThreadPoolExecutor(1) as threads:
            terms = RetrieveTerms(FakeSource(error), threads, 0.0, 1.0)
            operation = GetOperation(terms, "STUDY", association, context, request)  # type: ignore[arg-type]
            operation.write(memoryview(identifier))
            operation.finish()
            await association.ended.wait()
        (response,) = association.responses
        return response

    return asyncio.run(course())


IDENTIFIER = encode_elements({0x00080052: RawElement("CS", b"STUDY ")}, IMPLICIT_VR_LITTLE_ENDIAN)


@pytest.mark.parametrize(
    ("identifier", "error", "code"),
    [
        (IDENTIFIER, IsocenterError("The index could not be read."), 0xA701),
        (bytes(IDENTIFIER_LIMIT + 1), AssertionError("never asked"), 0xA701),
        (IDENTIFIER, InvalidIdentifier("Not this key.", 0x00100010), 0xA900),
        (IDENTIFIER[:-3], AssertionError("never asked"), 0xC000),
        (IDENTIFIER, ZeroDivisionError(), 0xC000),
    ],
    ids=["no index", "too large", "wrong key", "cut short", "an error of ours"],
)
def test_what_cannot_begin_is_refused(identifier: bytes, error: Exception, code: int):
    response = final_response(identifier, error)
    assert response.status == code
    assert response.number_of_failed_suboperations is None
    assert response.error_comment
