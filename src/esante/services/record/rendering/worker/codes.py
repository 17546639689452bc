"""The codes in a picture: bars and squares, as text with the symbology identifier of each."""

import io

MAX_PIXELS = 60_000_000
SIDE = 2_400
"""The longest side of a picture in which codes are searched, in pixels."""
MAX_CODES = 8


class Unreadable(Exception):
    """The file is no picture, or too large."""


def read_codes(data: bytes) -> list[tuple[str, str]]:
    """Return the symbology identifier (ISO/IEC 15424) and the text of each code; FNC1 is the character GS."""
    import zxingcpp
    from PIL import Image, ImageOps

    try:
        with Image.open(io.BytesIO(data), formats=["PNG", "JPEG", "WEBP"]) as image:
            if image.width * image.height > MAX_PIXELS:
                raise Unreadable
            upright = ImageOps.exif_transpose(image)
            upright.thumbnail((SIDE, SIDE))
            grey = upright.convert("L")
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise Unreadable from error
    found = zxingcpp.read_barcodes(grey, text_mode=zxingcpp.TextMode.Plain)
    return [(one.symbology_identifier, one.text) for one in found[:MAX_CODES]]
