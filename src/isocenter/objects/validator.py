"""One instance, judged from its bytes to its meaning: the pure function behind `validate`.

The layers follow each other: the file and its encoding, VRs and values, modules and types with
their conditions, value lists, and what attributes say beside each other.
"""

from __future__ import annotations

from typing import NamedTuple

from isocenter.dictionary.transfer_syntaxes import EXPLICIT_VR_LITTLE_ENDIAN, TransferSyntax
from isocenter.dictionary.uids import uid_name
from isocenter.encoding.deflate import inflate
from isocenter.encoding.errors import EncodingError, LimitExceeded
from isocenter.encoding.forms import Buffer
from isocenter.encoding.limits import DEFAULT_LIMITS, ScanLimits
from isocenter.objects.attributes import AttributeChecker, attributes_of
from isocenter.objects.coherence import check_coherence
from isocenter.objects.file_meta import MetaFacts, read_meta
from isocenter.objects.findings import Finding, Findings, Severity, name_of
from isocenter.objects.instance import Instance, Scope
from isocenter.objects.reading import read_elements
from isocenter.objects.tables import DICOMDIR, definition_of
from isocenter.objects.values import ValueChecker

_SOP_CLASS, _SOP_INSTANCE = 0x00080016, 0x00080018
STUDY_FACTS = (
    *(_SOP_CLASS, _SOP_INSTANCE, 0x0020000D, 0x0020000E, 0x00100010, 0x00100020, 0x00100030),
    *(0x00100040, 0x00080020, 0x00080030, 0x00080050, 0x00200010, 0x00080060, 0x00200052),
    *(0x00200011, 0x00200013, 0x00080070, 0x00181030),
)
"""Attributes that instances of one study, or one series, are compared by."""


class InstanceReport(NamedTuple):
    """What was found in one instance."""

    source: str
    sop_class_uid: str
    sop_instance_uid: str
    iod: str
    """The name of the IOD that it was judged by; "" where none is known."""
    findings: list[Finding]
    facts: dict[int, str]
    """Values of `STUDY_FACTS`, for comparing instances; never shown."""

    @property
    def errors(self) -> int:
        """How many findings are errors."""
        return sum(finding.severity is Severity.ERROR for finding in self.findings)


def validate_file(
    buffer: Buffer, source: str = "", limits: ScanLimits = DEFAULT_LIMITS
) -> InstanceReport:
    """Judge the bytes of a DICOM file, or of a bare data set. Never raises for what it finds."""
    findings = Findings()
    meta = read_meta(buffer, findings)
    if meta is None:
        return InstanceReport(source, "", "", "", findings.result(), {})
    view = memoryview(buffer)
    return _judge(view[meta.data_set :], meta, findings, source, limits)


def validate_data_set(
    buffer: Buffer,
    syntax: TransferSyntax,
    source: str = "",
    limits: ScanLimits = DEFAULT_LIMITS,
) -> InstanceReport:
    """Judge the bytes of a data set in `syntax`, as C-STORE carries it."""
    return _judge(memoryview(buffer), MetaFacts("", "", syntax, 0), Findings(), source, limits)


def _judge(
    buffer: memoryview, meta: MetaFacts, findings: Findings, source: str, limits: ScanLimits
) -> InstanceReport:
    syntax = meta.syntax
    if syntax.deflated:
        try:
            buffer = memoryview(inflate(buffer, limits))
        except EncodingError as error:
            check = "too-large" if isinstance(error, LimitExceeded) else "truncated"
            findings.add(check, "The deflated data set cannot be inflated whole.")
            return _report(Scope({}), "", meta, findings, source)
        syntax = EXPLICIT_VR_LITTLE_ENDIAN
    instance = read_elements(buffer, syntax, findings, limits)
    root = Scope(instance.elements, little_endian=syntax.little_endian)
    ValueChecker(findings, instance.implicit).check(root)
    _compare_with_meta(root, meta, findings)
    iod = _check_definition(instance, root, meta, findings)
    instance.syntax = meta.syntax
    check_coherence(instance, root, findings)
    return _report(root, iod, meta, findings, source)


def _check_definition(instance: Instance, root: Scope, meta: MetaFacts, findings: Findings) -> str:
    """Judge by the IOD of the instance's SOP class, and return its name."""
    uid = root.value(_SOP_CLASS)
    if not uid and meta.sop_class_uid == DICOMDIR:
        uid = DICOMDIR
    if not uid:
        if instance.complete:
            findings.add(
                "sop-class-missing", "The data set names no SOP class, so no IOD is known for it."
            )
        return ""
    definition = definition_of(uid)
    if definition is None:
        name = uid_name(uid)
        known = f" ({name})" if name != uid else ""
        findings.add(
            "sop-class-unknown",
            f"No IOD of PS3.3 is known for the SOP class{known}: modules are not judged.",
            path=("SOPClassUID",),
            tag=_SOP_CLASS,
        )
        return ""
    AttributeChecker(definition, findings, instance.complete).check(root)
    known_tags = attributes_of(definition.key)
    for tag in root.elements:
        if tag not in known_tags and _is_extension(tag):
            name = name_of(tag)
            findings.add(
                "attribute-extra",
                f"{name} is in no module of {definition.name}.",
                path=(name,),
                tag=tag,
            )
    return definition.name


def _is_extension(tag: int) -> bool:
    """Whether it is a standard element other than group lengths, overlays and trailing padding."""
    return not tag >> 16 & 1 and tag & 0xFFFF != 0 and tag >> 24 != 0x60 and tag != 0xFFFCFFFC


def _compare_with_meta(root: Scope, meta: MetaFacts, findings: Findings) -> None:
    for tag, stated in ((_SOP_CLASS, meta.sop_class_uid), (_SOP_INSTANCE, meta.sop_instance_uid)):
        own = root.value(tag)
        if stated and own and own != stated:
            name = name_of(tag)
            findings.add(
                "meta-mismatch",
                f"The File Meta Information names another {name} than the data set.",
                path=(name,),
                tag=tag,
            )


def _report(
    root: Scope, iod: str, meta: MetaFacts, findings: Findings, source: str
) -> InstanceReport:
    return InstanceReport(
        source,
        root.value(_SOP_CLASS) or meta.sop_class_uid,
        root.value(_SOP_INSTANCE) or meta.sop_instance_uid,
        iod,
        findings.result(),
        {tag: "\\".join(root.values(tag)) for tag in STUDY_FACTS if root.has(tag)},
    )
