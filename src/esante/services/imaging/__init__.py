"""Image sharing: studies in DICOM are stored, found, shown and proved in the record of a person."""
