"""Ingest of DICOM instances: the guards, the header as DICOM JSON, the offsets of frames, the person, quarantine."""
