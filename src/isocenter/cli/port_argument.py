"""`PEER 11112 FILE`: a number behind a PEER without a port is the port, not a path."""

from __future__ import annotations

import click

from isocenter.server.peer_address import parse_address


def take_port(
    context: click.Context, _: click.Parameter, given: tuple[str, ...]
) -> tuple[str, ...]:
    """The callback of an argument that takes the rest of the line; `port` becomes a parameter.

    The command declares `peer` as eager, so that it is there already.
    """
    port = None
    if given and given[0].isascii() and given[0].isdigit():
        number = int(given[0][:6])
        if 1 <= number <= 65535 and parse_address(context.params["peer"]).port is None:
            port, given = number, given[1:]
    context.params["port"] = port
    return given
