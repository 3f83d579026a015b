"""Situations that PS3.3 describes in its conditions, as predicates: True, False or not judged."""

from __future__ import annotations

from isocenter.dictionary.elements import tag_for_keyword
from isocenter.dictionary.uids import lookup_uid
from isocenter.encoding.character_sets import CHARACTER_SET_VRS
from isocenter.encoding.elements import Elements
from isocenter.encoding.iso2022 import ESCAPE
from isocenter.objects.instance import Scope
from isocenter.objects.rules import Judgement, Predicate

_SOP_CLASS = 0x00080016
_BODY_PART, _IMAGE_LATERALITY, _MEASUREMENT_LATERALITY = 0x00180015, 0x00200062, 0x00240113
_MODALITY, _NUMBER_OF_FRAMES = 0x00080060, 0x00280008
_ANATOMIC_REGION, _FRAME_ANATOMY = 0x00082218, 0x00209071
_SHARED_GROUPS, _PER_FRAME_GROUPS = 0x52009229, 0x52009230
_SEGMENTS, _SPECIMENS = 0x00620002, 0x00400560
_PHOTOMETRIC_INTERPRETATION, _ASPECT_RATIO = 0x00280004, 0x00280034
_SPACINGS = (0x00280030, 0x00181164, 0x00182010)

# PS3.16 Annex L: parts of the body of which there is one.
_UNPAIRED = frozenset(
    """
    ABDOMEN ABDOMENPELVIS AORTA BACK BLADDER BRAIN CEREBELLUM CERVIX CHEST CHESTABDOMEN
    CHESTABDPELVIS COCCYX COLON CSPINE CTSPINE DUODENUM ESOPHAGUS GALLBLADDER HEAD HEADNECK
    HEART ILEUM JAW JEJUNUM LARYNX LIVER LSPINE LSSPINE MAXILLA MEDIASTINUM MOUTH NECK NECKCHEST
    NECKCHESTABDOMEN NECKCHESTABDPELV NOSE PANCREAS PELVIS PENIS PHARYNX PROSTATE RECTUM SACRUM
    SKULL SPINE SPLEEN SSPINE STERNUM STOMACH THYMUS THYROID TLSPINE TONGUE TRACHEA TSPINE
    UTERUS VAGINA VULVA WHOLEBODY THORAX SPINALCORD VERTEBRA BONE
    """.split()  # noqa: SIM905
)
_PAIRED = frozenset(
    """
    ADRENAL ANKLE ARM AXILLA BREAST BUTTOCK CALF CAROTID CLAVICLE EAR ELBOW EXTREMITY EYE EYELID
    FINGER FOOT FOREARM HAND HIP HUMERUS ILIUM IAC KIDNEY KNEE LEG LUNG ORBIT OVARY PATELLA RIB
    SCAPULA SHOULDER TESTIS THIGH THUMB TIBIAFIBULA TMJOINT TOE UPRLEG URETER WRIST ZYGOMA
    """.split()  # noqa: SIM905
)
# Objects that are about no part of a body, or say elsewhere about which.
_WITHOUT_LATERALITY = frozenset({"ANN", "SM", "SEG", "SR", "KO", "PR", "REG", "DOC", "ECG", "EPS"})

# SOP classes whose images have no place in space: PS3.3 C.7.6.1.1.1.
_FLAT = (
    "ComputedRadiographyImageStorage",
    "DigitalXRayImageStorageForPresentation",
    "DigitalXRayImageStorageForProcessing",
    "UltrasoundImageStorage",
    "UltrasoundMultiFrameImageStorage",
    "SecondaryCaptureImageStorage",
    "XRayAngiographicImageStorage",
    "XRayRadiofluoroscopicImageStorage",
    "RTImageStorage",
)
_FLAT_RETIRED = frozenset({"1.2.840.10008.5.1.4.1.1.6", "1.2.840.10008.5.1.4.1.1.3"})


def laterality_is_needed(scope: Scope) -> Judgement:
    """A paired part of the body was examined, and nothing nearer to the image says which."""
    if _said_elsewhere(scope):
        return False
    part = scope.value(_BODY_PART)
    if part in _PAIRED:
        return True
    return False if part in _UNPAIRED else None


def laterality_may_be_needed(scope: Scope) -> Judgement:
    """Nobody says which part was examined, so that it may be a paired one."""
    if _said_elsewhere(scope) or scope.value(_MODALITY) in _WITHOUT_LATERALITY:
        return False
    return not any(scope.has(tag) for tag in (_SEGMENTS, _SPECIMENS))


def _said_elsewhere(scope: Scope) -> bool:
    if any(scope.has_value(tag) for tag in (_IMAGE_LATERALITY, _MEASUREMENT_LATERALITY)):
        return True
    return any(
        _FRAME_ANATOMY in item.elements
        for groups in (_SHARED_GROUPS, _PER_FRAME_GROUPS)
        for item in scope.items(groups)[:1]
    )


def orientation_is_not_in_space(scope: Scope) -> Judgement:
    """The SOP class has no Image Orientation (Patient) that would say more."""
    uid = scope.value(_SOP_CLASS)
    entry = lookup_uid(uid)
    return uid in _FLAT_RETIRED or (entry is not None and entry.keyword in _FLAT)


def pixels_have_no_spacing_and_are_not_square(scope: Scope) -> Judgement:
    """An aspect ratio is asked for only where no spacing tells it and it is not 1:1."""
    if any(scope.has_value(tag) for tag in _SPACINGS):
        return False
    ratio = scope.values(_ASPECT_RATIO)
    if len(ratio) == 2 and ratio[0] == ratio[1] != "":
        return False
    return None


def has_palette(color: str) -> Predicate:
    """A palette is used, and its data is not in the segmented form."""
    segmented = tag_for_keyword(f"Segmented{color}PaletteColorLookupTableData") or 0

    def judge(scope: Scope) -> Judgement:
        return bool(is_palette_color(scope)) and not scope.has(segmented)

    return judge


def is_palette_color(scope: Scope) -> Judgement:
    """The pixels are numbers of a palette, or some frames are coloured by one."""
    return (
        scope.value(_PHOTOMETRIC_INTERPRETATION) == "PALETTE COLOR"
        or scope.value(0x00089205) in ("COLOR", "MIXED")  # Pixel Presentation
    )


def rescaled_to_something_else_than_hounsfield(scope: Scope) -> Judgement:
    """Rescaled values of a CT image are HU unless it says otherwise (PS3.3 C.8.2.1)."""
    return scope.value(0x00189361) == "YES" or None


def has_several_frames(scope: Scope) -> Judgement:
    """Number of Frames says more than one."""
    frames = scope.integer(_NUMBER_OF_FRAMES)
    return None if frames is None else frames > 1


def frames_are_described_one_by_one(scope: Scope) -> Judgement:
    """Frames that lie in a full grid of tiles need no description each (PS3.3 C.7.6.17.3)."""
    return scope.value(0x00209311) != "TILED_FULL"


def segments_are_told_by_frames(scope: Scope) -> Judgement:
    """Pixels of a label map name their segments themselves (PS3.3 A.51.5.1)."""
    return scope.root.value(0x00620001) != "LABELMAP" and _is_no_full_grid(scope)


def tiles_are_placed_by_frames(scope: Scope) -> Judgement:
    """Tiles of a sparse grid say where they lie."""
    return scope.root.value(0x00209311) == "TILED_SPARSE"


def _is_no_full_grid(scope: Scope) -> bool:
    return scope.root.value(0x00209311) != "TILED_FULL"


def time_advances_by_frames(scope: Scope) -> Judgement:
    """Frame Increment Pointer points to Frame Time or Frame Time Vector."""
    pointers = scope.values(0x00280009)
    return any(pointer in ("00181063", "00181065") for pointer in pointers)


def text_is_beyond_ascii(scope: Scope) -> Judgement:
    """Some text has characters that the default repertoire lacks (PS3.3 C.12.1.1.2)."""
    return _beyond_ascii(scope.elements)


def _beyond_ascii(elements: Elements) -> bool:
    for vr, value in elements.values():
        if isinstance(value, list):
            if any(map(_beyond_ascii, value)):
                return True
        elif vr in CHARACTER_SET_VRS and not (value.isascii() and ESCAPE not in value):
            return True
    return False
