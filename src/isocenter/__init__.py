"""Isocenter: a DICOM archive and network node, laid out like the standard that it implements."""

__version__ = "0.1.0"
