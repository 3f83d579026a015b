"""A C-GET provider that sends what its user did not ask for, under names of its own choice."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

from isocenter.dimse.messages import CGetRQ, CGetRSP, CStoreRQ, CStoreRSP, decode_message
from isocenter.upperlayer.negotiation import accept_context, negotiate
from isocenter.upperlayer.pdu import AssociateRQ, PDataTF, ReleaseRP, ReleaseRQ, decode_pdu
from isocenter.upperlayer.user_information import RoleSelection, UserInformation
from tests.server.support import COMMAND, LAST, fragments, p_data
from tests.server.support_instances import Instance

PATIENCE = 20.0


@dataclass
class MaliciousSCP:
    """Answers a C-GET with sub-operations for `instances`, each under the UID announced for it."""

    instances: list[tuple[str, Instance]]
    port: int = 0
    statuses: list[int] = field(default_factory=list)

    def serve(self, listener: socket.socket) -> None:
        with suppress(OSError):
            connection, _ = listener.accept()
            connection.settimeout(PATIENCE)
            with connection, connection.makefile("rb") as incoming:
                self._associate(connection, self._next(incoming.read))
                self._obey(connection, incoming.read)

    def _next(self, read: Callable[[int], bytes]) -> object:
        header = read(6)
        return decode_pdu(header + read(int.from_bytes(header[2:6], "big"))) if header else None

    def _associate(self, connection: socket.socket, request: object) -> None:
        assert isinstance(request, AssociateRQ)
        roles = {role.sop_class_uid: role for role in request.user_information.role_selections}
        answer = negotiate(
            request,
            lambda proposed: accept_context(proposed, proposed.transfer_syntaxes[0]),
            user_information=UserInformation(
                maximum_length=65536, implementation_class_uid="1.2.3.4"
            ),
            decide_roles=lambda uid, *_: (
                RoleSelection(uid, scu_role=True, scp_role=True) if uid in roles else None
            ),
        )
        connection.sendall(answer.encode())
        self._contexts = {
            context.abstract_syntax: context.context_id for context in request.presentation_contexts
        }

    def _obey(self, connection: socket.socket, read: Callable[[int], bytes]) -> None:
        while (received := self._next(read)) is not None:
            if isinstance(received, ReleaseRQ):
                connection.sendall(ReleaseRP().encode())
                return
            assert isinstance(received, PDataTF), received
            for value in received.values:
                if value.is_command and value.is_last:
                    message = decode_message(bytes(value.data))
                    if isinstance(message, CStoreRSP):
                        self.statuses.append(message.status)
                    elif isinstance(message, CGetRQ):
                        self._wanted = (value.context_id, message.message_id)
                if not value.is_command and value.is_last:
                    self._send_all(connection)

    def _send_all(self, connection: socket.socket) -> None:
        context_id, message_id = self._wanted
        for number, (uid, one) in enumerate(self.instances, start=1):
            command = CStoreRQ(
                message_id=number,
                affected_sop_class_uid=one.sop_class_uid,
                affected_sop_instance_uid=uid,
            )
            where = self._contexts[one.sop_class_uid]
            connection.sendall(p_data(where, COMMAND | LAST, command.encode()))
            for piece in fragments(where, one.data_set):
                connection.sendall(piece)
        final = CGetRSP(message_id_being_responded_to=message_id, status=0)
        connection.sendall(p_data(context_id, COMMAND | LAST, final.encode()))


@contextmanager
def malicious_scp(*instances: tuple[str, Instance]) -> Iterator[MaliciousSCP]:
    """One association's worth of it, on a port of its own."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        scp = MaliciousSCP(list(instances), listener.getsockname()[1])
        thread = threading.Thread(target=scp.serve, args=(listener,))
        thread.start()
        try:
            yield scp
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join(PATIENCE)
