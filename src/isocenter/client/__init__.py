"""The Python API: another DICOM node, as its user (SCU) sees it.

    import isocenter

    with isocenter.connect("pacs") as assoc:
        for match in assoc.find(PatientName="DOE*", level="STUDY"):
            print(match.PatientID, match.StudyDate)

Data sets are pydicom's. Errors derive from `isocenter.errors.IsocenterError`.
"""

from isocenter.client.connecting import connect
from isocenter.client.connection import Connection
from isocenter.client.errors import InputError, KeysNotSupported, RequestFailed
from isocenter.server.calling_tls import TLSWish
from isocenter.services.query_options import QueryOptions

__all__ = [
    "Connection",
    "InputError",
    "KeysNotSupported",
    "QueryOptions",
    "RequestFailed",
    "TLSWish",
    "connect",
]
