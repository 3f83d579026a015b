"""The DIMSE-N messages (PS3.7 10.3): operations on and notifications about normalized instances."""

from __future__ import annotations

from isocenter.dimse.message import Request, Response, command


@command("N-EVENT-REPORT-RSP", 0x8100)
class NEventReportRSP(Response):
    """PS3.7 10.3.1.2: the event has been taken note of, or not."""

    affected_sop_instance_uid: str | None = None
    event_type_id: int | None = None
    error_id: int | None = None


@command("N-EVENT-REPORT-RQ", 0x0100, response=NEventReportRSP)
class NEventReportRQ(Request):
    """PS3.7 10.3.1.1: something happened to an instance."""

    message_id: int
    affected_sop_class_uid: str
    affected_sop_instance_uid: str
    event_type_id: int
    has_data_set: bool = False


@command("N-GET-RSP", 0x8110)
class NGetRSP(Response):
    """PS3.7 10.3.2.2: the attributes asked for follow as data set."""

    affected_sop_instance_uid: str | None = None
    attribute_identifier_list: tuple[int, ...] | None = None
    error_id: int | None = None


@command("N-GET-RQ", 0x0110, response=NGetRSP)
class NGetRQ(Request):
    """PS3.7 10.3.2.1: the values of these attributes, please; all of them where none is named."""

    message_id: int
    requested_sop_class_uid: str
    requested_sop_instance_uid: str
    attribute_identifier_list: tuple[int, ...] | None = None
    has_data_set: bool = False


@command("N-SET-RSP", 0x8120)
class NSetRSP(Response):
    """PS3.7 10.3.3.2: whether the attributes were changed."""

    affected_sop_instance_uid: str | None = None
    attribute_identifier_list: tuple[int, ...] | None = None
    error_id: int | None = None


@command("N-SET-RQ", 0x0120, response=NSetRSP)
class NSetRQ(Request):
    """PS3.7 10.3.3.1: change the attributes that follow as data set."""

    message_id: int
    requested_sop_class_uid: str
    requested_sop_instance_uid: str
    has_data_set: bool = True


@command("N-ACTION-RSP", 0x8130)
class NActionRSP(Response):
    """PS3.7 10.3.4.2: whether the action was taken up."""

    affected_sop_instance_uid: str | None = None
    action_type_id: int | None = None
    error_id: int | None = None


@command("N-ACTION-RQ", 0x0130, response=NActionRSP)
class NActionRQ(Request):
    """PS3.7 10.3.4.1: perform the action, on what may follow as data set."""

    message_id: int
    requested_sop_class_uid: str
    requested_sop_instance_uid: str
    action_type_id: int
    has_data_set: bool = False


@command("N-CREATE-RSP", 0x8140)
class NCreateRSP(Response):
    """PS3.7 10.3.5.2: whether the instance was created, and under which UID."""

    affected_sop_instance_uid: str | None = None
    attribute_identifier_list: tuple[int, ...] | None = None
    error_id: int | None = None


@command("N-CREATE-RQ", 0x0140, response=NCreateRSP)
class NCreateRQ(Request):
    """PS3.7 10.3.5.1: create an instance; the performer names it where no UID is given."""

    message_id: int
    affected_sop_class_uid: str
    affected_sop_instance_uid: str | None = None
    has_data_set: bool = False


@command("N-DELETE-RSP", 0x8150)
class NDeleteRSP(Response):
    """PS3.7 10.3.6.2: whether the instance was deleted."""

    affected_sop_instance_uid: str | None = None
    error_id: int | None = None


@command("N-DELETE-RQ", 0x0150, response=NDeleteRSP)
class NDeleteRQ(Request):
    """PS3.7 10.3.6.1: delete the instance."""

    message_id: int
    requested_sop_class_uid: str
    requested_sop_instance_uid: str
    has_data_set: bool = False
