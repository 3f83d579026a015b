"""The whole conformance statement: all chapters and annexes, in the order of PS3.2 Annex N."""

from __future__ import annotations

from isocenter.conformance.capabilities import Capabilities
from isocenter.conformance.document.annexes import annexes
from isocenter.conformance.document.configuration import configuration
from isocenter.conformance.document.network import network
from isocenter.conformance.document.overview import (
    contents,
    implementation_model,
    introduction,
    overview,
)
from isocenter.conformance.document.parts import Document
from isocenter.conformance.document.security import security
from isocenter.conformance.document.services import services


def statement_document(capabilities: Capabilities) -> Document:
    """What a statement says, for people."""
    product = capabilities.product
    return Document(
        title=f"DICOM Conformance Statement: {capabilities.title}",
        subtitle=product.description,
        facts=(
            ("Product", product.name or capabilities.title),
            ("Version", ", ".join(product.versions)),
            ("AE titles", ", ".join(dict.fromkeys(one.ae_title for one in capabilities.entities))),
            ("Date", capabilities.made_at),
            ("Made by", f"{capabilities.made_by}, in the structure of PS3.2 Annex N"),
        ),
        chapters=(
            overview(capabilities),
            contents(),
            introduction(capabilities),
            implementation_model(capabilities),
            services(capabilities),
            configuration(capabilities),
            network(capabilities),
            security(capabilities),
        ),
        annexes=annexes(capabilities),
    )
