"""What `isocenter serve` says first: what listens, where data goes, and what to try next."""

from __future__ import annotations

import shlex
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path

from isocenter.server.addressing import DEFAULT_PORT
from isocenter.server.config import Config
from isocenter.server.config_security import Listener
from isocenter.server.config_values import Durability
from isocenter.server.peer_address import DEFAULT_CALLED_AE

_PROMISES: dict[Durability, str] = {
    "group": "group: an accepted object survives a power failure",
    "os": "os: an accepted object survives a crash of isocenter, not of the machine",
}


def start_banner(
    config: Config, file: Path | None = None, ports: Mapping[str, int] | None = None
) -> str:
    """The text for a terminal; `ports` are the real ones where configured ones are 0."""
    ports = ports or {}
    peer, program = _as_typed(config, ports.get("listen", config.listen.port)), _program()
    if config.listen.uses_tls:
        peer += " --tls"
    listening = [
        f"Isocenter is listening as {config.node.ae_title} on "
        f"{_joined(listener.host, ports.get(name, listener.port))} ({_reach(listener)})."
        for name, listener in config.all_listeners.items()
    ]
    return "\n".join(
        (
            *listening,
            f"  Data goes to     {config.node.data_directory.absolute()}",
            f"  Durability       {_PROMISES[config.storage.durability]}",
            f"  Configuration    {file if file else 'built-in defaults'}",
            "",
            "Try next, in another terminal:",
            f"  {program} echo {peer}",
            f"  {program} store {peer} some/dir",
            f"  {program} find {peer} -k PatientName='DOE*'",
            "",
            "Ctrl-C stops it.",
        )
    )


def _reach(listener: Listener) -> str:
    """How one talks here, and who can."""
    if listener.uses_tls:
        who = "known peers" if listener.wants_known_ae else "whoever reaches it"
        return f"TLS, for {who}"
    if listener.is_local:
        return "plain DICOM, reachable by this machine only"
    return "plain DICOM, INSECURE: readable by anyone on the network"


def _program() -> str:
    """How to call this program: by its name if the shell finds it, else by its path."""
    if shutil.which("isocenter"):
        return "isocenter"
    here = Path(sys.argv[0])
    return shlex.quote(str(here)) if here.name == "isocenter" else "python -m isocenter"


def _joined(host: str, port: int) -> str:
    host = host.strip("[]")
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _as_typed(config: Config, port: int) -> str:
    """The shortest PEER that reaches this listener from the same machine."""
    host = config.listen.host.strip("[]")
    if host in ("127.0.0.1", "localhost", "0.0.0.0"):
        place = "localhost" if port == DEFAULT_PORT else f"localhost:{port}"
    else:
        place = _joined("::1" if host == "::" else host, port)
    title = "" if config.answers_to(DEFAULT_CALLED_AE) else f"{config.node.ae_title}@"
    return shlex.quote(title + place)
