"""The application entities of this node: SOP classes, roles and transfer syntaxes, as decided.

Nothing is listed here that is decided elsewhere. What the node accepts is what `Acceptance`
answers when it is asked; what it proposes are the contexts that its users of services build.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from isocenter.conformance.capabilities import (
    ApplicationEntity,
    AssociationParameters,
    Role,
    Timer,
    TransferCapability,
)
from isocenter.conformance.facts import Conversion
from isocenter.conformance.option_names import option_names
from isocenter.dictionary.sop_classes import STORAGE_COMMITMENT_PUSH, STORAGE_SOP_CLASSES
from isocenter.dictionary.transfer_syntaxes import TRANSFER_SYNTAXES
from isocenter.encoding.transcoding import TARGETS, can_convert
from isocenter.server.config import Config
from isocenter.services.acceptance import MESSAGE_TRANSFER_SYNTAXES, Acceptance
from isocenter.services.extended_negotiation import answer_extended
from isocenter.services.get_contexts import get_contexts
from isocenter.services.information_models import QUERY_MODELS, STUDY_ROOT
from isocenter.services.performed_procedure_step_scu import PROCEDURE_STEP_CONTEXTS
from isocenter.services.provider import Service
from isocenter.services.query_options import QueryOptions
from isocenter.services.query_retrieve_scu import find_context
from isocenter.services.service_names import SERVICE_OF_SOP_CLASS
from isocenter.services.storage_commitment_scu import COMMITMENT_CONTEXT
from isocenter.services.verification_scu import VERIFICATION_CONTEXT
from isocenter.upperlayer.contexts import ContextAnswer, ProposedContext
from isocenter.upperlayer.limits import AssociationLimits, Timeouts
from isocenter.upperlayer.user_information import ExtendedNegotiation, RoleSelection

Contexts = Sequence[tuple[str, Sequence[str]]]

ALL_SYNTAXES = tuple(TRANSFER_SYNTAXES)
STORAGE = tuple(sorted(STORAGE_SOP_CLASSES, key=lambda uid: [int(n) for n in uid.split(".")]))


def node_entity(config: Config, connections: Sequence[str]) -> ApplicationEntity:
    """The network node: what it answers, and what it calls others for."""
    limits = config.limits
    listeners = config.all_listeners.values()
    return ApplicationEntity(
        ae_title=config.node.ae_title,
        also_known_as=config.node.also_known_as,
        description="The archive: accepts associations, keeps objects, answers queries, sends "
        "objects to the destinations of C-MOVE and reports of storage commitment.",
        initiates=True,
        accepts=True,
        converts=True,
        checks_called_ae=any(
            not config.answers_to("?", listener) for listener in config.all_listeners.values()
        ),
        checks_calling_ae=any(listener.wants_known_ae for listener in listeners),
        stores_unknown_sop_classes=config.storage.accept_unknown_sop_classes,
        connections=tuple(connections),
        association=AssociationParameters(
            maximum_pdu=limits.maximum_pdu,
            most_accepted=limits.associations,
            most_initiated=config.retrieve.associations,
            operations_invoked=limits.operations,
            operations_performed=limits.operations,
            contexts=AssociationLimits().presentation_contexts,
            timers=_timers(config),
        ),
        capabilities=tuple(_node_capabilities(config)),
    )


def tools_entity(config: Config) -> ApplicationEntity:
    """The commands and the Python interface, which call other nodes under the same AE title."""
    return ApplicationEntity(
        ae_title=config.node.ae_title,
        description="The commands of isocenter and its Python interface: they call other nodes.",
        initiates=True,
        association=AssociationParameters(
            maximum_pdu=AssociationLimits().maximum_length,
        ),
        capabilities=tuple(_tool_capabilities()),
    )


def conversions() -> tuple[Conversion, ...]:
    """What objects are turned into for receivers that do not take them as they are stored."""
    return tuple(
        Conversion(source=source, target=target)
        for source in ALL_SYNTAXES
        for target in TARGETS
        if source != target and can_convert(source, target)
    )


def acceptance_of(config: Config) -> Acceptance:
    """What decides about proposed contexts, as a node with this configuration has it."""
    stub: Service = _Nothing()  # it decides by SOP class, whoever may serve it then
    return Acceptance(
        dict.fromkeys(SERVICE_OF_SOP_CLASS, stub),
        stub,
        unknown_sop_classes=config.storage.accept_unknown_sop_classes,
    )


class _Nothing:
    """A service that is never asked for anything."""

    def begin(self, *_: object) -> None:
        raise AssertionError("a statement serves nobody")


def _node_capabilities(config: Config) -> Iterator[TransferCapability]:
    acceptance = acceptance_of(config)
    for sop_class in (*SERVICE_OF_SOP_CLASS, *STORAGE):
        accepts = _accepted(acceptance, sop_class)
        is_commitment = sop_class == STORAGE_COMMITMENT_PUSH
        yield TransferCapability(
            sop_class=sop_class,
            role="SCP",
            # Reports on associations of our own, PS3.4 J.3.3.
            proposes=tuple(sorted(MESSAGE_TRANSFER_SYNTAXES)) if is_commitment else (),
            accepts=accepts,
            options=_options(sop_class),
        )
        role = acceptance.decide_role(RoleSelection(sop_class, scu_role=True, scp_role=True))
        if role is not None and role.scp_role:  # the requestor may be SCP, so we are SCU
            yield TransferCapability(
                sop_class=sop_class,
                role="SCU",
                proposes=ALL_SYNTAXES,  # each object as it is stored, `store_contexts`
                accepts=accepts,
                by_role_selection=True,
            )


def _accepted(acceptance: Acceptance, sop_class: str) -> tuple[str, ...]:
    proposals = ((syntax, ProposedContext(1, sop_class, (syntax,))) for syntax in ALL_SYNTAXES)
    return tuple(
        syntax
        for syntax, proposed in proposals
        if acceptance.decide(proposed).result == ContextAnswer.ACCEPTANCE
    )


def _options(sop_class: str) -> tuple[str, ...]:
    wish = ExtendedNegotiation(sop_class, bytes(QueryOptions(*(True,) * 7)))
    granted = QueryOptions.from_information(answer_extended(wish) or b"")
    return option_names(sop_class, granted)


def _tool_capabilities() -> Iterator[TransferCapability]:
    queried = [uid for model in QUERY_MODELS for uid in (model.find, model.move, model.get)]
    contexts: Contexts = (
        VERIFICATION_CONTEXT,
        *(find_context(uid) for uid in queried if uid),
        COMMITMENT_CONTEXT,
        *PROCEDURE_STEP_CONTEXTS,
        *((sop_class, ALL_SYNTAXES) for sop_class in STORAGE),
    )
    for sop_class, syntaxes in contexts:
        yield _proposing(sop_class, "SCU", syntaxes)
    for sop_class, syntaxes in _received_by_get().items():
        yield _proposing(sop_class, "SCP", syntaxes, by_role_selection=True)


def _received_by_get() -> dict[str, list[str]]:
    """What C-GET takes: of the usual classes, and of one that is named (`get --sop-class`)."""
    usual = [uid for uid, _ in get_contexts(STUDY_ROOT.get)[1:]]
    received: dict[str, list[str]] = {}
    for sop_class in dict.fromkeys((*usual, *STORAGE)):
        for _, syntaxes in get_contexts(STUDY_ROOT.get, [sop_class])[1:]:
            known = received.setdefault(sop_class, [])
            known += [syntax for syntax in syntaxes if syntax not in known]
    return received


def _proposing(
    sop_class: str, role: Role, syntaxes: Sequence[str], *, by_role_selection: bool = False
) -> TransferCapability:
    return TransferCapability(
        sop_class=sop_class,
        role=role,
        proposes=tuple(syntaxes),
        by_role_selection=by_role_selection,
    )


def _timers(config: Config) -> tuple[Timer, ...]:
    limits, retrieve = config.limits, config.retrieve
    release = Timeouts().release
    told = (
        ("ARTIM", limits.artim_timeout, "no request after connecting, no close after the end"),
        ("PDU", limits.pdu_timeout, "from the first byte of a PDU to its last"),
        ("write", limits.write_timeout, "a peer takes nothing of what it is sent"),
        ("idle", limits.idle_timeout, "nothing happens on an association"),
        ("release", release, "no answer to our release request"),
        ("connection", retrieve.connect_timeout, "to the destination of a C-MOVE"),
        ("association", retrieve.association_timeout, "its answer to our request"),
        ("response", retrieve.response_timeout, "its answer to each object"),
        ("commitment response", config.commitment.response_timeout, "the answer to a report"),
    )
    return tuple(Timer(name=name, seconds=seconds, meaning=why) for name, seconds, why in told)
