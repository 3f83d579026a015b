"""An association in each state of PS3.8 9.2.1 that a peer can send something in."""

from isocenter.upperlayer.association import Association
from tests.upperlayer.links import REQUEST, MemoryLink, established, waiting_acceptor


def waiting_requestor() -> Association:
    requestor = Association(requestor=True, now=0)
    requestor.request_association(REQUEST, 0)
    requestor.connection_made(0)
    requestor.data_to_send()
    return requestor


def asked_acceptor() -> Association:
    link = MemoryLink.make()
    link.requestor.request_association(REQUEST, 0)
    link.pump()
    return link.acceptor


def releasing(link: MemoryLink) -> Association:
    link.requestor.release(0)
    link.requestor.data_to_send()
    return link.requestor


def asked_to_release(link: MemoryLink) -> Association:
    link.requestor.release(0)
    link.pump()
    return link.acceptor


def colliding(link: MemoryLink, side: str) -> Association:
    link.requestor.release(0)
    link.acceptor.release(0)
    link.pump()
    association: Association = getattr(link, side)
    return association


def confirmed(association: Association) -> Association:
    association.confirm_release(0)
    association.data_to_send()
    return association


def answered_collision(link: MemoryLink) -> Association:
    colliding(link, "requestor").confirm_release(0)
    link.pump()
    return link.acceptor


def aborted(link: MemoryLink) -> Association:
    link.acceptor.abort(0, 0, 0)
    link.acceptor.data_to_send()
    return link.acceptor


IN_STATE = {
    "Sta2": waiting_acceptor,
    "Sta3": asked_acceptor,
    "Sta5": waiting_requestor,
    "Sta6": lambda: established().acceptor,
    "Sta7": lambda: releasing(established()),
    "Sta8": lambda: asked_to_release(established()),
    "Sta9": lambda: colliding(established(), "requestor"),
    "Sta10": lambda: colliding(established(), "acceptor"),
    "Sta11": lambda: confirmed(colliding(established(), "requestor")),
    "Sta12": lambda: answered_collision(established()),
    "Sta13": lambda: aborted(established()),
}
"""By the name of the state. Nothing but the last message of the way there waits to be sent."""
