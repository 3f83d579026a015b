"""Small descriptions of nodes, for tests that compare and write them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from isocenter.conformance.capabilities import (
    ApplicationEntity,
    Capabilities,
    Connection,
    Kind,
    Product,
    TransferCapability,
    TransportSecurity,
    Tried,
)
from isocenter.conformance.facts import Conversion

CT = "1.2.840.10008.5.1.4.1.1.2"
MR = "1.2.840.10008.5.1.4.1.1.4"
STUDY_FIND = "1.2.840.10008.5.1.4.1.2.2.1"
STUDY_GET = "1.2.840.10008.5.1.4.1.2.2.3"
VERIFICATION = "1.2.840.10008.1.1"

IMPLICIT = "1.2.840.10008.1.2"
EXPLICIT = "1.2.840.10008.1.2.1"
JPEG_LOSSLESS = "1.2.840.10008.1.2.4.70"
MPEG2 = "1.2.840.10008.1.2.4.100"


def node(
    *,
    stores: Mapping[str, Sequence[str]] | None = None,
    sends: Mapping[str, Sequence[str]] | None = None,
    conversions: Sequence[tuple[str, str, bool]] = (),
    tls: TransportSecurity | None = None,
    client_tls: TransportSecurity | None = None,
    kind: Kind = "statement",
    tried: Sequence[str] | None = None,
    **entity: object,
) -> Capabilities:
    """A node that stores and sends these SOP classes in these transfer syntaxes."""
    capabilities = [
        TransferCapability(sop_class=uid, role="SCP", accepts=tuple(syntaxes))
        for uid, syntaxes in (stores or {}).items()
    ]
    capabilities += [
        TransferCapability(sop_class=uid, role="SCU", proposes=tuple(syntaxes))
        for uid, syntaxes in (sends or {}).items()
    ]
    return Capabilities(
        kind=kind,
        product=Product(name="NODE", implementation_class_uid="1.2.3"),
        connections=(Connection(name="listen", host="node.example", port=104, tls=tls),),
        client_tls=client_tls,
        entities=(
            ApplicationEntity(
                ae_title="NODE",
                connections=("listen",),
                initiates=bool(sends),
                accepts=bool(stores),
                converts=bool(conversions),
                capabilities=tuple(capabilities),
                **entity,  # type: ignore[arg-type]
            ),
        ),
        conversions=tuple(
            Conversion(source=source, target=target, lossless=lossless)
            for source, target, lossless in conversions
        ),
        tried=None
        if tried is None
        else Tried(
            sop_classes=tuple(tried),
            transfer_syntaxes=(IMPLICIT, EXPLICIT, JPEG_LOSSLESS, MPEG2),
        ),
    )
