"""The statement of this node as one document."""

from __future__ import annotations

import platform
from datetime import datetime

import isocenter
from isocenter.conformance.capabilities import Behaviour, Capabilities, Product
from isocenter.conformance.statement import behaviour, services, trust
from isocenter.conformance.statement.proofs import recorded_proofs
from isocenter.conformance.statement.statuses import service_statuses
from isocenter.encoding.part10 import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME
from isocenter.server.config import Config


def statement_of(config: Config, now: datetime) -> Capabilities:
    """What a node with this configuration, of this version of the program, claims."""
    connections = trust.connections_of(config)
    return Capabilities(
        kind="statement",
        made_at=now.isoformat(timespec="seconds"),
        made_by=f"isocenter {isocenter.__version__}",
        product=Product(
            name="Isocenter",
            versions=(isocenter.__version__, f"Python {platform.python_version()}"),
            description="A DICOM archive and network node.",
            implementation_class_uid=IMPLEMENTATION_CLASS_UID,
            implementation_version_name=IMPLEMENTATION_VERSION_NAME,
        ),
        connections=connections,
        entities=(
            services.node_entity(config, [one.name for one in connections]),
            services.tools_entity(config),
        ),
        client_tls=trust.client_tls(config),
        conversions=services.conversions(),
        security=trust.security_of(config),
        behaviour=Behaviour(
            statuses=service_statuses(),
            information_models=behaviour.information_models(),
            character_sets=behaviour.character_sets(),
            configuration=behaviour.configuration(config),
            definitions=behaviour.iods(),
            proofs=recorded_proofs(),
        ),
    )
