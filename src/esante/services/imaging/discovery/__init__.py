"""How studies are found: as ImagingStudy, as documents by MHD, and as priors of another study."""
