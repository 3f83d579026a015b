"""Between the raw elements of the network and pydicom's Dataset, the data model for people."""

from __future__ import annotations

import logging
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from typing import TYPE_CHECKING

from isocenter.dictionary.transfer_syntaxes import EXPLICIT_VR_LITTLE_ENDIAN
from isocenter.encoding.character_sets import UTF_8
from isocenter.encoding.elements import Elements, RawElement, decode_elements, encode_elements
from isocenter.encoding.errors import EncodingError
from isocenter.encoding.recoding import SPECIFIC_CHARACTER_SET, recode, texts_of

if TYPE_CHECKING:
    from pydicom import Dataset

_one_at_a_time = threading.RLock()


def to_dataset(elements: Elements) -> Dataset:
    """The elements as a pydicom Dataset, its text in UTF-8 whatever the peer's character set was.

    (0008,0005) is there where the elements had it, or where there is text beyond ASCII. Raises
    EncodingError for values that fit no data set.
    """
    from pydicom.filereader import read_dataset

    unicode = recode(elements, UTF_8)
    beyond_ascii = not all(text.isascii() for text in texts_of(unicode, UTF_8))
    if beyond_ascii or SPECIFIC_CHARACTER_SET in elements:
        unicode[SPECIFIC_CHARACTER_SET] = RawElement("CS", UTF_8.encode("ascii"))
    encoded = encode_elements(unicode, EXPLICIT_VR_LITTLE_ENDIAN)
    with quiet_pydicom():
        return read_dataset(BytesIO(encoded), is_implicit_VR=False, is_little_endian=True)


def from_dataset(data_set: Dataset) -> Elements:
    """A pydicom Dataset as elements, in little endian; group 0002 is left out.

    Text goes out in the character set that the data set declares, in UTF-8 where it declares
    none. Raises EncodingError for what cannot be.
    """
    from pydicom.filebase import DicomBytesIO
    from pydicom.filewriter import write_dataset

    output = DicomBytesIO()
    output.is_little_endian, output.is_implicit_VR = True, False
    declared = "SpecificCharacterSet" in data_set and bool(data_set.SpecificCharacterSet)
    with quiet_pydicom():
        try:
            write_dataset(output, data_set, UTF_8)
        except Exception as error:  # pydicom raises whatever its converters happen to raise
            raise EncodingError(f"The data set cannot be encoded: {error}") from error
    elements = decode_elements(output.getvalue(), EXPLICIT_VR_LITTLE_ENDIAN)
    if not declared and not all(text.isascii() for text in texts_of(elements, UTF_8)):
        elements[SPECIFIC_CHARACTER_SET] = RawElement("CS", UTF_8.encode("ascii"))
    return {tag: element for tag, element in elements.items() if tag >> 16 > 0x0002}


@contextmanager
def quiet_pydicom() -> Iterator[None]:
    """A peer's odd values are shown, not commented on: by warning or log, in another's words.

    Warning filters belong to the process: of two threads that change and restore them at once, one
    would leave the other's behind for good. So one waits.
    """
    logger = logging.getLogger("pydicom")
    with _one_at_a_time, warnings.catch_warnings():
        level = logger.level
        logger.setLevel(logging.CRITICAL)
        warnings.simplefilter("ignore")
        try:
            yield
        finally:
            logger.setLevel(level)
