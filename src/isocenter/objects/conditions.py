"""Conditions of types 1C and 2C, and of modules, that PS3.3 states in prose: ours, read and tested.

The generated tables carry the conditions whose sentences a small grammar understands. Here stand
those that matter and need a reader; they come first. What neither has is not judged. Most are said
in the language of `rules`; what it cannot say is a predicate of `situations`.
"""

from __future__ import annotations

from isocenter.objects import situations as when
from isocenter.objects.rules import Condition, Predicate, parse_rule
from isocenter.objects.tables import Type

_ANIMAL = "value PatientSpeciesDescription or value PatientSpeciesCodeSequence"
_COLOR_TABLE = "PhotometricInterpretation = PALETTE COLOR or PixelPresentation = COLOR|MIXED"
_GRAYSCALE_SC = "PhotometricInterpretation = MONOCHROME2 and BitsStored > 1"
_ORIGINAL_OR_MIXED = "FrameType#1 = ORIGINAL|MIXED ?"
_DURATIONS_LACK = "absent ExposureTime or absent XRayTubeCurrent ?"
_COORDINATES = "ValueType = TCOORD and absent ReferencedSamplePositions"

_SECONDARY_CAPTURE = (
    "SecondaryCaptureImageStorage|MultiFrameSingleBitSecondaryCaptureImageStorage|"
    "MultiFrameGrayscaleByteSecondaryCaptureImageStorage|"
    "MultiFrameGrayscaleWordSecondaryCaptureImageStorage|"
    "MultiFrameTrueColorSecondaryCaptureImageStorage"
)
_NAMED_CONTENT = "TEXT|NUM|NUMERIC|CODE|DATETIME|DATE|TIME|UIDREF|PNAME"

RULES: dict[str, str] = {
    # PS3.3 C.7.1 to C.7.4: patient, study, series
    "patient/PatientAlternativeCalendar": "present PatientBirthDateInAlternativeCalendar "
    "or present PatientDeathDateInAlternativeCalendar",
    "patient/PatientBreedDescription": f"{_ANIMAL} ?",
    "patient/PatientBreedCodeSequence": _ANIMAL,
    "patient/BreedRegistrationSequence": _ANIMAL,
    "patient/ResponsiblePerson": f"{_ANIMAL} ?",
    "patient/ResponsiblePersonRole": "value ResponsiblePerson",
    "patient/ResponsibleOrganization": f"{_ANIMAL} ?",
    "patient-study/PatientSexNeutered": f"{_ANIMAL} ?",
    "patient/DeidentificationMethod": "PatientIdentityRemoved = YES "
    "and absent DeidentificationMethodCodeSequence ?",
    "patient/DeidentificationMethodCodeSequence": "PatientIdentityRemoved = YES "
    "and absent DeidentificationMethod ?",
    "general-series/PatientPosition": "sop CTImageStorage|MRImageStorage|EnhancedCTImageStorage|"
    "EnhancedMRImageStorage|EnhancedMRColorImageStorage|MRSpectroscopyStorage "
    "and absent PatientOrientationCodeSequence ?",
    "synchronization/SynchronizationChannel": "never ?",
    # PS3.3 C.7.5 and C.7.6: equipment, image
    "general-equipment/PixelPaddingValue": "present PixelPaddingRangeLimit ?",
    "general-image/ContentDate": "never ?",
    "general-image/ContentTime": "never ?",
    "image-pixel/RedPaletteColorLookupTableDescriptor": _COLOR_TABLE,
    "image-pixel/GreenPaletteColorLookupTableDescriptor": _COLOR_TABLE,
    "image-pixel/BluePaletteColorLookupTableDescriptor": _COLOR_TABLE,
    "image-pixel/ExtendedOffsetTableLengths": "present ExtendedOffsetTable",
    "cine/FrameTime": "FrameIncrementPointer = 00181063 ?",
    "cine/FrameTimeVector": "FrameIncrementPointer = 00181065 ?",
    "multi-frame/StereoPairsPresent": "never ?",
    "general-image/LossyImageCompressionRatio": "LossyImageCompression = 01 ?",
    "general-image/LossyImageCompressionMethod": "LossyImageCompression = 01 ?",
    "*/LossyImageCompressionRatio": "LossyImageCompression = 01 ?",
    "*/LossyImageCompressionMethod": "LossyImageCompression = 01 ?",
    "contrast-bolus/ContrastFlowDuration": "never ?",
    "voi-lut/WindowWidth": "present WindowCenter",
    "voi-lut/WindowCenter": "absent VOILUTSequence ?",
    "voi-lut/VOILUTSequence": "absent WindowCenter ?",
    "modality-lut/ModalityLUTSequence": "absent RescaleIntercept !",
    "modality-lut/RescaleIntercept": "absent ModalityLUTSequence !",
    "modality-lut/RescaleSlope": "present RescaleIntercept",
    "modality-lut/RescaleType": "present RescaleIntercept",
    # PS3.3 C.8: modalities
    "mr-image/RepetitionTime": "SequenceVariant = SK or ScanningSequence != EP ?",
    "mr-image/InversionTime": "ScanningSequence = IR",
    "mr-image/TriggerTime": "ScanOptions = CG|PPG ?",
    "mr-image/EchoTrainLength": "never ?",
    "us-image/AcquisitionDateTime": "Modality = IVUS ?",
    "us-image/IVUSAcquisition": "Modality = IVUS",
    "us-image/NumberOfStages": "present StageNumber ?",
    "us-image/NumberOfViewsInStage": "present StageNumber ?",
    "us-image/FrameIncrementPointer": "present NumberOfFrames",
    "nm-image/ActualFrameDuration": "ImageType#3 = WHOLE BODY|STATIC ?",
    "nm-image/ScanVelocity": "ImageType#3 = WHOLE BODY ?",
    "nm-image/ScanLength": "ImageType#3 = WHOLE BODY ?",
    "pet-image/LowRRValue": "SeriesType#1 = GATED and BeatRejectionFlag = Y",
    "pet-image/HighRRValue": "SeriesType#1 = GATED and BeatRejectionFlag = Y",
    "pet-image/DecayFactor": "DecayCorrection != NONE",
    "sc-multi-frame-image/NominalScannedPixelSpacing": "ConversionType = DF ?",
    "sc-multi-frame-image/FrameIncrementPointer": "NumberOfFrames > 1 ?",
    "sc-multi-frame-image/RescaleIntercept": _GRAYSCALE_SC,
    "sc-multi-frame-image/RescaleSlope": _GRAYSCALE_SC,
    "sc-multi-frame-image/RescaleType": _GRAYSCALE_SC,
    "sc-multi-frame-image/PresentationLUTShape": _GRAYSCALE_SC,
    "dx-image/WindowCenter": "PresentationIntentType = FOR PRESENTATION "
    "and absent VOILUTSequence ?",
    "dx-image/VOILUTSequence": "PresentationIntentType = FOR PRESENTATION "
    "and absent WindowCenter ?",
    "dx-image/WindowWidth": "present WindowCenter",
    "dx-image/PatientOrientation": "absent ViewCodeSequence ?",
    "dx-detector/FieldOfViewOrigin": "present FieldOfViewRotation "
    "or present FieldOfViewHorizontalFlip ?",
    "x-ray-image/FrameIncrementPointer": "NumberOfFrames > 1 ?",
    "x-ray-acquisition/Exposure": _DURATIONS_LACK,
    "x-ray-acquisition/ExposureTime": "absent Exposure ?",
    "x-ray-acquisition/XRayTubeCurrent": "absent Exposure ?",
    "xa-positioner/PositionerMotion": "NumberOfFrames > 1 ?",
    "rt-dose/BitsAllocated": "present PixelData",
    "rt-dose/BitsStored": "present PixelData",
    "rt-dose/HighBit": "present PixelData",
    "rt-dose/PixelRepresentation": "present PixelData",
    "rt-dose/SamplesPerPixel": "present PixelData",
    "rt-dose/PhotometricInterpretation": "present PixelData",
    "rt-dose/DoseGridScaling": "present PixelData",
    "rt-dose/GridFrameOffsetVector": "FrameIncrementPointer = 3004000C ?",
    "rt-image/FluenceMapSequence": "ImageType#3 = FLUENCE ?",
    "rt-general-plan/ReferencedStructureSetSequence": "RTPlanGeometry = PATIENT ?",
    "whole-slide-microscopy-image/ImagedVolumeWidth": "ImageType#3 = VOLUME|THUMBNAIL ?",
    "whole-slide-microscopy-image/ImagedVolumeHeight": "ImageType#3 = VOLUME|THUMBNAIL ?",
    "whole-slide-microscopy-image/ImagedVolumeDepth": "ImageType#3 = VOLUME|THUMBNAIL ?",
    "whole-slide-microscopy-image/NumberOfFocalPlanes": "ExtendedDepthOfField = YES",
    "whole-slide-microscopy-image/PresentationLUTShape": "PhotometricInterpretation = MONOCHROME2",
    "whole-slide-microscopy-image/RescaleIntercept": "PhotometricInterpretation = MONOCHROME2",
    "whole-slide-microscopy-image/RescaleSlope": "PhotometricInterpretation = MONOCHROME2",
    # PS3.3 C.7.6.16, C.7.6.17, C.8.20: many frames
    "multi-frame-dimension/DimensionIndexSequence": "unless DimensionOrganizationType = "
    "TILED_FULL ?",
    "*/FrameReferenceDateTime": _ORIGINAL_OR_MIXED,
    "*/FrameAcquisitionDateTime": _ORIGINAL_OR_MIXED,
    "*/FrameAcquisitionDuration": _ORIGINAL_OR_MIXED,
    "RealWorldValueMappingSequence/RealWorldValueFirstValueMapped": "present PixelData "
    "and absent DoubleFloatRealWorldValueFirstValueMapped ?",
    "RealWorldValueMappingSequence/RealWorldValueLastValueMapped": "present PixelData "
    "and absent DoubleFloatRealWorldValueLastValueMapped ?",
    "RealWorldValueMappingSequence/DoubleFloatRealWorldValueFirstValueMapped": "absent PixelData "
    "and absent RealWorldValueFirstValueMapped ?",
    "RealWorldValueMappingSequence/DoubleFloatRealWorldValueLastValueMapped": "absent PixelData "
    "and absent RealWorldValueLastValueMapped ?",
    # PS3.3 8.8: codes
    "*/CodeValue": "absent LongCodeValue and absent URNCodeValue !",
    "*/LongCodeValue": "absent CodeValue and absent URNCodeValue !",
    "*/URNCodeValue": "absent CodeValue and absent LongCodeValue !",
    "*/CodingSchemeDesignator": "present CodeValue or present LongCodeValue ?",
    "*/CodingSchemeVersion": "never ?",
    "*/MappingResource": "present ContextIdentifier",
    "*/ContextGroupVersion": "present ContextIdentifier",
    "*/ContextGroupLocalVersion": "ContextGroupExtensionFlag = Y",
    "*/ContextGroupExtensionCreatorUID": "ContextGroupExtensionFlag = Y",
    "*/InstitutionName": "absent InstitutionCodeSequence ?",
    "*/InstitutionCodeSequence": "absent InstitutionName ?",
    # PS3.3 C.17, C.18: structured reports
    "*/ReferencedTimeOffsets": f"{_COORDINATES} and absent ReferencedDateTime ?",
    "*/ReferencedSamplePositions": "never ?",
    "*/ReferencedDateTime": "never ?",
    "*/TextValue": "ValueType = TEXT",
    "*/ConceptNameCodeSequence": f"ValueType = {_NAMED_CONTENT} ?",
    "*/DateTime": "ValueType = DATETIME",
    "*/Date": "ValueType = DATE",
    "*/Time": "ValueType = TIME",
    "*/PersonName": "ValueType = PNAME",
    "*/UID": "ValueType = UIDREF",
    "*/ConceptCodeSequence": "ValueType = CODE",
    "*/MeasuredValueSequence": "ValueType = NUM",
    "*/ContinuityOfContent": "ValueType = CONTAINER",
    "*/ReferencedSOPSequence": "ValueType = IMAGE|COMPOSITE|WAVEFORM ?",
    "encapsulated-document/HL7InstanceIdentifier": "MIMETypeOfEncapsulatedDocument = text/XML ?",
    "palette-color-lookup-table/RedPaletteColorLookupTableData": (
        "absent SegmentedRedPaletteColorLookupTableData"
    ),
    "palette-color-lookup-table/GreenPaletteColorLookupTableData": (
        "absent SegmentedGreenPaletteColorLookupTableData"
    ),
    "palette-color-lookup-table/BluePaletteColorLookupTableData": (
        "absent SegmentedBluePaletteColorLookupTableData"
    ),
}

PREDICATES: dict[str, Condition] = {
    "general-series/Laterality": Condition(
        when.laterality_is_needed, likely=when.laterality_may_be_needed
    ),
    "general-image/PatientOrientation": Condition(when.orientation_is_not_in_space, "allowed"),
    "image-pixel/PixelAspectRatio": Condition(when.pixels_have_no_spacing_and_are_not_square),
    "image-pixel/RedPaletteColorLookupTableData": Condition(when.has_palette("Red")),
    "image-pixel/GreenPaletteColorLookupTableData": Condition(when.has_palette("Green")),
    "image-pixel/BluePaletteColorLookupTableData": Condition(when.has_palette("Blue")),
    "ct-image/RescaleType": Condition(when.rescaled_to_something_else_than_hounsfield, "allowed"),
    "sop-common/SpecificCharacterSet": Condition(when.text_is_beyond_ascii, "allowed"),
    "multi-frame-functional-groups/PerFrameFunctionalGroupsSequence": Condition(
        when.frames_are_described_one_by_one, "allowed"
    ),
}


def condition_for(owner: str, keyword: str, beside: frozenset[int]) -> Condition | None:
    """Our condition for an attribute inside `owner`, None where we have none.

    `owner` is a module's key, or the keyword of the sequence around; `beside` are the tags that can
    stand there, which a rule looks for nowhere else.
    """
    for place in (f"{owner}/{keyword}", f"*/{keyword}"):
        if place in PREDICATES:
            return PREDICATES[place]
        if place in RULES:
            return parse_rule(RULES[place], beside)
    return None


RETYPED: dict[tuple[str, str], tuple[Type, str]] = {
    # A secondary capture may leave Modality out: PS3.3 C.8.6.1 overrides C.7.3.1.
    ("general-series", "Modality"): ("1C", f"unless sop {_SECONDARY_CAPTURE} ?"),
    # Several frames need a pointer; PS3.3 C.8.6.3 lets a single one do without.
    ("multi-frame", "FrameIncrementPointer"): ("1C", "NumberOfFrames > 1 ?"),
    # An item that refers to another one in the tree has no value of its own: PS3.3 C.17.3.2.
    ("ContentSequence", "ValueType"): ("1C", "absent ReferencedContentItemIdentifier ?"),
    # The macro of a value type belongs to content items of that type: PS3.3 C.17.3.2.
    **{
        (owner, keyword): ("1C", f"ValueType = {value_types}")
        for owner in ("sr-document-content", "ContentSequence")
        for keyword, value_types in (
            ("ContinuityOfContent", "CONTAINER"),
            ("MeasuredValueSequence", "NUM ?"),
            ("ConceptCodeSequence", "CODE"),
            ("ReferencedSOPSequence", "IMAGE|COMPOSITE|WAVEFORM"),
            ("GraphicType", "SCOORD|SCOORD3D"),
            ("GraphicData", "SCOORD|SCOORD3D"),
            ("ReferencedFrameOfReferenceUID", "SCOORD3D"),
            ("TemporalRangeType", "TCOORD"),
            ("TabulatedValuesSequence", "TABLE"),
            ("ReferencedTimeOffsets", "TCOORD ?"),
        )
    },
}
"""Attributes whose type in the tables holds in some situations only: type and condition there."""

GROUP_CONDITIONS: dict[str, Predicate] = {
    "SegmentIdentificationSequence": when.segments_are_told_by_frames,
    "PlanePositionSlideSequence": when.tiles_are_placed_by_frames,
}
"""When a functional group of usage C must be there, by the keyword of its sequence."""

MODULE_CONDITIONS: dict[tuple[str, str], Predicate] = {
    ("*", "cine"): when.time_advances_by_frames,
    ("*", "multi-frame"): when.has_several_frames,
    ("*", "palette-color-lookup-table"): when.is_palette_color,
}
"""By (IOD key, or "*"; module key): when a module of usage C must be there."""
