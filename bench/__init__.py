"""Isocenter beside DCMTK, pynetdicom and Orthanc: `make bench` (see docs/performance.md)."""
