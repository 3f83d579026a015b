"""What can be wrong with encoded bytes. Each error says where, in `offset`, when it is known."""

# Each class is named for what is wrong with the bytes.

from isocenter.errors import IsocenterError


class EncodingError(IsocenterError):
    """Bytes that are not what PS3.5 or PS3.10 allow. `offset` counts from the buffer's start."""

    def __init__(self, message: str, offset: int | None = None) -> None:
        super().__init__(message if offset is None else f"{message} (at byte {offset})")
        self.offset = offset


class TruncatedDataSet(EncodingError):
    """The bytes end inside a data element."""


class MalformedDataSet(EncodingError):
    """The bytes cannot be a data set."""


class LimitExceeded(EncodingError):
    """The bytes would cost more depth, elements or memory than the limits allow."""


class NotPart10(EncodingError):
    """The bytes are not a DICOM file."""


class UndecodablePixelData(EncodingError):
    """Compressed pixel data that is damaged, or that no decoder here understands."""
