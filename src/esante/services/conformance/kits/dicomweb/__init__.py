"""The kit of image archives: DICOMweb, storing, searching and retrieving images."""
