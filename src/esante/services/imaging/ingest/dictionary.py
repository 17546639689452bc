"""Value representations of data elements by the data dictionary (PS3.6), for implicit VR."""

from functools import lru_cache

from pydicom.datadict import dictionary_VR, private_dictionary_VR

_AMBIGUOUS = {"OB or OW": b"OW", "US or OW": b"OW", "US or SS or OW": b"OW"}
SIGNED_OR_NOT = b"US or SS"
"""The VR of elements whose sign is that of the pixels (Pixel Representation)."""


@lru_cache(maxsize=16_384)
def vr_of(tag: int, creator: str = "") -> bytes:
    """Return the VR of a tag in implicit VR, UN where it is not known; `creator`: of the block of a private tag."""
    group, element = tag >> 16, tag & 0xFFFF
    if element == 0:
        return b"UL"
    if group % 2:
        if 0x10 <= element <= 0xFF:
            return b"LO"
        try:
            found = private_dictionary_VR(tag, creator) if creator else "UN"
        except KeyError:
            return b"UN"
    else:
        try:
            found = dictionary_VR(tag)
        except KeyError:
            return b"UN"
    return _AMBIGUOUS.get(found) or (SIGNED_OR_NOT if found == "US or SS" else found.encode())
