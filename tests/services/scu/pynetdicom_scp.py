"""pynetdicom as the peer that our user side talks to: an SCP in threads of the test's process."""

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from socketserver import BaseServer
from typing import Any

from pydicom.uid import AllTransferSyntaxes
from pynetdicom import AE, evt
from pynetdicom.dul import DULServiceProvider
from pynetdicom.sop_class import (
    CTImageStorage,
    MRImageStorage,
    StudyRootQueryRetrieveInformationModelFind,
    Verification,
)
from pynetdicom.transport import ThreadedAssociationServer

from isocenter.services.association import Destination

Handler = Callable[[Any], Any]

_run_reactor = DULServiceProvider.run_reactor


def _run_until_closed(provider: DULServiceProvider) -> None:
    """pynetdicom's reactor, which does not expect its socket to be closed under it at the end."""
    with suppress(OSError, AttributeError, ValueError):
        _run_reactor(provider)


DULServiceProvider.run_reactor = _run_until_closed


@contextmanager
def scp(
    *,
    on_store: Handler | None = None,
    on_find: Handler | None = None,
    on_echo: Handler | None = None,
    on_data: Handler | None = None,
    on_action: Handler | None = None,
    configure: Callable[[AE], object] | None = None,
    handlers: Sequence[tuple[Any, Handler]] = (),
) -> Iterator[Destination]:
    """A listening SCP with the given handlers (others by event); yields where it is."""
    ae = AE("PEER")
    ae.maximum_associations = 16
    ae.add_supported_context(Verification)
    ae.add_supported_context(StudyRootQueryRetrieveInformationModelFind)
    for sop_class in (CTImageStorage, MRImageStorage):
        ae.add_supported_context(sop_class, AllTransferSyntaxes)
    if configure is not None:
        configure(ae)
    all_handlers = [
        *handlers,
        *(
            (event, handler)
            for event, handler in (
                (evt.EVT_C_STORE, on_store),
                (evt.EVT_C_FIND, on_find),
                (evt.EVT_C_ECHO, on_echo),
                (evt.EVT_DATA_RECV, on_data),
                (evt.EVT_N_ACTION, on_action),
            )
            if handler is not None
        ),
    ]
    server = ae.make_server(
        ("127.0.0.1", 0), evt_handlers=all_handlers, server_class=ThreadedAssociationServer
    )
    # `AE.start_server` would look for the shutdown only twice a second.
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        port = server.socket.getsockname()[1]
        yield Destination("127.0.0.1", port, called_ae="PEER", calling_ae="TESTER")
    finally:
        BaseServer.shutdown(server)  # pynetdicom's own expects a server from `start_server`
        server.server_close()
        thread.join()
