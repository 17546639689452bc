"""Transfer syntaxes and the media types of their frames (PS3.18, 8.7.3.3)."""

EXPLICIT_LITTLE = "1.2.840.10008.1.2.1"
_NATIVE = ("1.2.840.10008.1.2", EXPLICIT_LITTLE)
_COMPRESSED = "1.2.840.10008.1.2.4."
_MEDIA_TYPES = {
    "1.2.840.10008.1.2.5": "image/dicom-rle",
    **{_COMPRESSED + number: "image/jpeg" for number in ("50", "51", "57", "70")},
    **{_COMPRESSED + number: "image/jls" for number in ("80", "81")},
    **{_COMPRESSED + number: "image/jp2" for number in ("90", "91")},
    **{_COMPRESSED + number: "image/jpx" for number in ("92", "93")},
    **{_COMPRESSED + number: "image/jphc" for number in ("201", "202", "203")},
    **{_COMPRESSED + number: "video/mpeg" for number in ("100", "101")},
    **{_COMPRESSED + number: "video/mp4" for number in ("102", "103", "104", "105", "106", "107", "108")},
}


def syntax_of_frames(syntax: str) -> str:
    """Return the transfer syntax of frames that stand alone: native ones have the same bytes in implicit VR."""
    return EXPLICIT_LITTLE if syntax in _NATIVE else syntax


def media_type_of(syntax: str) -> str:
    """Return the media type of frames in a transfer syntax."""
    return _MEDIA_TYPES.get(syntax, "application/octet-stream")
