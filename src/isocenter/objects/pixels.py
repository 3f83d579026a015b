"""The description of pixels and the pixels themselves: PS3.3 C.7.6.3, PS3.5 8."""

from __future__ import annotations

from isocenter.dictionary.transfer_syntaxes import TransferSyntax
from isocenter.objects.findings import Findings, name_of
from isocenter.objects.instance import Instance, Scope

_SAMPLES, _PHOTOMETRIC, _PLANAR = 0x00280002, 0x00280004, 0x00280006
_FRAMES, _ROWS, _COLUMNS = 0x00280008, 0x00280010, 0x00280011
_ALLOCATED, _STORED, _HIGH_BIT = 0x00280100, 0x00280101, 0x00280102
_PIXEL_DATA = 0x7FE00010

_SAMPLES_OF = {
    "MONOCHROME1": 1,
    "MONOCHROME2": 1,
    "PALETTE COLOR": 1,
    "RGB": 3,
    "HSV": 3,
    "YBR_FULL": 3,
    "YBR_FULL_422": 3,
    "YBR_PARTIAL_422": 3,
    "YBR_PARTIAL_420": 3,
    "YBR_ICT": 3,
    "YBR_RCT": 3,
    "XYB": 3,
    "ARGB": 4,
    "CMYK": 4,
}

_JPEG_LOSSY = frozenset({"1.2.840.10008.1.2.4.50", "1.2.840.10008.1.2.4.51"})
_PALETTES = (
    (0x00281101, 0x00281201),
    (0x00281102, 0x00281202),
    (0x00281103, 0x00281203),
)


def check_pixels(instance: Instance, root: Scope, findings: Findings) -> None:
    """Judge bits, samples, palettes and the length of Pixel Data."""
    _check_bits(root, findings)
    _check_samples(root, instance.syntax, findings)
    _check_palettes(root, findings)
    if instance.pixels is not None:
        if instance.pixels.encapsulated != instance.syntax.encapsulated:
            stated = "encapsulated" if instance.syntax.encapsulated else "native"
            _add(
                findings,
                "pixel-vr",
                f"Pixel Data is not {stated}, as its transfer syntax says",
                instance.pixels.tag,
            )
        elif instance.pixels.encapsulated:
            _check_fragments(instance, root, findings)
        elif instance.pixels.tag == _PIXEL_DATA:
            _check_length(instance, root, findings)


def _check_bits(root: Scope, findings: Findings) -> None:
    allocated, stored, high = (root.integer(tag) for tag in (_ALLOCATED, _STORED, _HIGH_BIT))
    if allocated is not None and allocated != 1 and (allocated < 1 or allocated % 8):
        _add(findings, "bits", "Bits Allocated is neither 1 nor a multiple of 8", _ALLOCATED)
    if stored is not None and allocated is not None and not 1 <= stored <= allocated:
        _add(findings, "bits", f"Bits Stored is {stored} of {allocated} allocated", _STORED)
    if high is not None and stored is not None and high != stored - 1:
        _add(
            findings,
            "bits",
            f"High Bit is {high} where Bits Stored makes it {stored - 1}",
            _HIGH_BIT,
        )


def _check_samples(root: Scope, syntax: TransferSyntax, findings: Findings) -> None:
    samples, photometric = root.integer(_SAMPLES), root.value(_PHOTOMETRIC)
    expected = _SAMPLES_OF.get(photometric)
    if samples is not None and expected is not None and samples != expected:
        _add(
            findings,
            "pixel-description",
            f"Samples per Pixel is {samples} where {photometric} has {expected}",
            _SAMPLES,
        )
    if photometric == "YBR_FULL" and syntax.uid in _JPEG_LOSSY:
        findings.add(
            "enumerated-value",
            "Photometric Interpretation is YBR_FULL, which lossy JPEG does not have: YBR_FULL_422.",
            path=(name_of(_PHOTOMETRIC),),
            tag=_PHOTOMETRIC,
            reference="PS3.5 8.2.1",
        )
    for tag in (_ROWS, _COLUMNS):
        if root.has_value(tag) and root.integer(tag) == 0:
            _add(findings, "pixel-description", f"{name_of(tag)} is 0", tag)


def _check_palettes(root: Scope, findings: Findings) -> None:
    for descriptor, data in _PALETTES:
        numbers = [int(text) for text in root.values(descriptor) if text.lstrip("-").isdecimal()]
        element = root.elements.get(data)
        if len(numbers) != 3 or element is None or not isinstance(element.value, bytes):
            continue
        entries = numbers[0] % 65536 or 65536
        wide = entries * (2 if numbers[2] > 8 else 1)
        # PS3.3 C.7.6.3.1.6: entries of 8 bits may be packed two to a word, or one.
        allowed = {wide, wide + wide % 2} | ({entries * 2} if numbers[2] == 8 else set())
        if numbers[2] not in (8, 16):
            _add(
                findings,
                "palette",
                f"{name_of(descriptor)} has entries of {numbers[2]} bits",
                descriptor,
            )
        elif len(element.value) not in allowed:
            _add(
                findings,
                "palette",
                f"{name_of(data)} has {len(element.value)} bytes for {entries} entries",
                data,
            )


def frames_of(root: Scope) -> int:
    """Number of Frames, 1 where nothing says it."""
    return root.integer(_FRAMES) or 1


def _check_length(instance: Instance, root: Scope, findings: Findings) -> None:
    rows, columns, samples, allocated = (
        root.integer(tag) for tag in (_ROWS, _COLUMNS, _SAMPLES, _ALLOCATED)
    )
    pixels = instance.pixels
    if pixels is None or rows is None or columns is None or allocated is None:
        return
    frames = frames_of(root)
    bits = rows * columns * (samples or 1) * allocated * frames
    if root.value(_PHOTOMETRIC) in ("YBR_FULL_422", "YBR_PARTIAL_422"):
        bits = bits // 3 * 2
    expected = (bits + 7) // 8
    if pixels.length not in (expected, expected + expected % 2):
        _add(
            findings,
            "pixel-length",
            f"Pixel Data has {pixels.length} bytes where {expected} are described",
            _PIXEL_DATA,
        )
    if not instance.implicit and pixels.vr == "OB" and allocated > 8:
        _add(
            findings,
            "pixel-vr",
            f"Pixel Data has VR OB with {allocated} bits allocated",
            _PIXEL_DATA,
        )


def _check_fragments(instance: Instance, root: Scope, findings: Findings) -> None:
    pixels = instance.pixels
    if pixels is None:
        return
    if pixels.vr != "OB" and not instance.implicit:
        _add(findings, "pixel-vr", "Encapsulated Pixel Data has not VR OB", pixels.tag)
    frames = frames_of(root)
    if pixels.fragments < frames and not instance.syntax.uid.startswith("1.2.840.10008.1.2.4.10"):
        # Video syntaxes hold all frames in one fragment (PS3.5 8.2.5 and later).
        _add(
            findings,
            "pixel-fragments",
            f"Pixel Data has {pixels.fragments} fragments for {frames} frames",
            pixels.tag,
        )
    if pixels.offsets not in (0, frames):
        _add(
            findings,
            "pixel-fragments",
            f"The Basic Offset Table has {pixels.offsets} entries for {frames} frames",
            pixels.tag,
        )


def _add(findings: Findings, check: str, clause: str, tag: int) -> None:
    findings.add(check, f"{clause}.", path=(name_of(tag),), tag=tag)
