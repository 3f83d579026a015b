"""Connecting, with -v telling what was agreed and -d every presentation context."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from isocenter.cli.console import harmless
from isocenter.cli.verbosity import Verbosity, say, verbosity

if TYPE_CHECKING:
    from isocenter.services.association import ClientAssociation, Destination
    from isocenter.upperlayer.user_information import ExtendedNegotiation


@contextmanager
def associate(
    destination: Destination,
    contexts: Sequence[tuple[str, Sequence[str]]],
    *,
    receiving: Collection[str] = (),
    extended: Sequence[ExtendedNegotiation] = (),
) -> Iterator[ClientAssociation]:
    """An association for these (abstract syntax, transfer syntaxes), released at the end.

    `receiving` and `extended` are those of `Destination.connect`.
    """
    with destination.connect(contexts, receiving=receiving, extended=extended) as association:
        if verbosity() >= Verbosity.VERBOSE:
            _tell(association, len(contexts))
        yield association
    say("Association released.")


def _tell(association: ClientAssociation, proposed: int) -> None:
    from isocenter.dictionary.uids import uid_name

    peer = association.transport.response.user_information
    accepted = association.transport.accepted_contexts
    say(
        f"Association accepted by {harmless(peer.implementation_version_name) or 'an unnamed node'}"
        f" ({harmless(peer.implementation_class_uid)}): {len(accepted)} of {proposed} "
        f"presentation contexts, maximum PDU {peer.maximum_length or 'unlimited'}."
    )
    for context in accepted.values():
        names = f"{uid_name(context.abstract_syntax)} in {uid_name(context.transfer_syntax)}"
        say(f"  {context.context_id:>3}  {harmless(names)}", Verbosity.DEBUG)
