"""Associations in the states that tests start from."""

from isocenter.upperlayer.association import Association
from isocenter.upperlayer.contexts import ContextResult, ProposedContext
from isocenter.upperlayer.limits import AssociationLimits, Timeouts
from isocenter.upperlayer.memory import MemoryLink
from isocenter.upperlayer.pdu import AssociateAC, AssociateRQ, decode_pdu
from isocenter.upperlayer.user_information import UserInformation

VERIFICATION = "1.2.840.10008.1.1"
CT_IMAGE = "1.2.840.10008.5.1.4.1.1.2"
IMPLICIT = "1.2.840.10008.1.2"
EXPLICIT = "1.2.840.10008.1.2.1"

REQUEST = AssociateRQ(
    "ANY-SCP",
    "ISOCENTER",
    (
        ProposedContext(1, VERIFICATION, (IMPLICIT,)),
        ProposedContext(3, CT_IMAGE, (EXPLICIT, IMPLICIT)),
        ProposedContext(5, "1.2.3.4", (IMPLICIT,)),
    ),
    UserInformation(implementation_class_uid="1.2.3"),
)
RESPONSE = AssociateAC(
    "ANY-SCP",
    "ISOCENTER",
    (
        ContextResult(1, 0, IMPLICIT),
        ContextResult(3, 0, EXPLICIT),
        ContextResult(5, 3, IMPLICIT),
    ),
    UserInformation(implementation_class_uid="1.2.4"),
)
LIMITS = AssociationLimits()
TIMEOUTS = Timeouts(artim=10, association=20, pdu=30, idle=600, release=40)


def established(limits: AssociationLimits = LIMITS) -> MemoryLink:
    """A link in Sta6 on both sides, nothing reported or queued."""
    link = MemoryLink.make(limits=limits, timeouts=TIMEOUTS)
    link.requestor.request_association(REQUEST, link.now)
    link.pump()
    link.acceptor.accept(RESPONSE, link.now)
    link.pump()
    link.requestor_events.clear()
    link.acceptor_events.clear()
    return link


def waiting_acceptor() -> Association:
    """An acceptor in Sta2."""
    association = Association(requestor=False, timeouts=TIMEOUTS, now=0)
    association.connection_made(0)
    return association


def sent(association: Association):
    """The one PDU that waits to be written, decoded; None if there is none."""
    output = b"".join(association.data_to_send())
    return decode_pdu(output) if output else None
