"""Decoding of frames and their pictures, with pydicom, its codecs and Pillow."""

import io
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFont
from pydicom import Dataset, dcmread
from pydicom.dataset import FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.pixels.processing import apply_color_lut, apply_modality_lut
from pydicom.uid import UID, ExplicitVRLittleEndian

MAX_PIXELS = 100_000_000
MAX_SIDE = 4_096
"""Pixels of the longer side of a picture."""
_SYNTAX = {"1.2.840.10008.1.2": "1.2.840.10008.1.2.1"}
"""Native frames have the same bytes in implicit VR, and no VR is stored beside them."""


def decode(request: dict[str, Any], data: bytes) -> bytes:
    """Return the pixels of a frame as in Explicit VR Little Endian."""
    image = _image(request, data)
    array = image.pixel_array
    if image.get("PlanarConfiguration", 0) == 1 and array.ndim == 3:
        array = array.transpose(2, 0, 1)
    return array.astype(array.dtype.newbyteorder("<"), copy=False).tobytes()


def render(request: dict[str, Any], data: bytes) -> bytes:
    """Return a frame as a picture: `format` JPEG or PNG, `window` [centre, width] or null, `size` [width, height].

    `watermark`: a text to draw over it, "" for none.
    """
    image = _image(request, data)
    array = image.pixel_array
    if image.PhotometricInterpretation == "PALETTE COLOR":
        array = _eight_bits(apply_color_lut(array, image), 16)
    elif image.get("SamplesPerPixel", 1) > 1:
        array = _eight_bits(array, image.BitsStored)
    else:
        array = _grey(array, image, request["window"])
    picture = Image.fromarray(np.ascontiguousarray(array))
    if picture.mode not in ("L", "RGB"):
        picture = picture.convert("RGB")
    picture.thumbnail(tuple(request["size"] or (MAX_SIDE, MAX_SIDE)))
    if request["watermark"]:
        picture = _marked(picture, request["watermark"])
    out = io.BytesIO()
    picture.save(out, request["format"], quality=request["quality"])
    return out.getvalue()


def _marked(picture: Image.Image, text: str) -> Image.Image:
    """Return a picture, of a side of 512 pixels at least, with a faint text all over it."""
    scale = max(512 / max(picture.size), 1)
    picture = picture.convert("RGB").resize([round(side * scale) for side in picture.size])
    width, height = picture.size
    layer = Image.new("RGBA", picture.size)
    draw = ImageDraw.Draw(layer)
    font = ImageFont.load_default(max(width // 32, 12))
    for row, y in enumerate(range(height // 10, height, max(height // 5, 1))):
        place = (width * (0.3 if row % 2 else 0.7), y)
        draw.text(place, text, (255, 255, 255, 110), font, "mm", stroke_width=1, stroke_fill=(0, 0, 0, 110))
    picture.paste(layer, mask=layer)
    return picture


def transcode(request: dict[str, Any], data: bytes) -> bytes:
    """Return a file in Explicit VR Little Endian."""
    found = dcmread(io.BytesIO(data))
    if found.file_meta.TransferSyntaxUID.is_compressed:
        found.decompress(generate_instance_uid=False)
    found.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    out = io.BytesIO()
    found.save_as(out, implicit_vr=False, little_endian=True, enforce_file_format=True)
    return out.getvalue()


def _image(request: dict[str, Any], data: bytes) -> Dataset:
    """Return a data set of one frame with its attributes (DICOM JSON) and bytes."""
    image = Dataset.from_json(request["image"])
    if image.Rows * image.Columns > MAX_PIXELS:
        raise ValueError("the frame is too large")
    syntax = UID(_SYNTAX.get(request["syntax"], request["syntax"]))
    image.file_meta = FileMetaDataset()
    image.file_meta.TransferSyntaxUID = syntax
    image.NumberOfFrames = 1
    image.PixelData = encapsulate([data]) if syntax.is_compressed else data
    image["PixelData"].VR = "OB" if syntax.is_compressed or image.BitsAllocated <= 8 else "OW"
    image["PixelData"].is_undefined_length = syntax.is_compressed
    return image


def _eight_bits(array: Any, stored: int) -> Any:
    if array.dtype == np.uint8:
        return array
    return (array.astype(np.float32) * (255.0 / max((1 << stored) - 1, 1))).clip(0, 255).astype(np.uint8)


def _grey(array: Any, image: Dataset, window: list[float] | None) -> Any:
    """Return the values of a window as shades of grey (PS3.3, C.11.2.1.2.1)."""
    values = np.asarray(apply_modality_lut(array, image), dtype=np.float32)
    centre, width = window or _window(image, values)
    low = centre - 0.5 - (width - 1) / 2
    grey = ((values - low) * (255.0 / max(width - 1, 1e-6))).clip(0, 255).astype(np.uint8)
    return 255 - grey if image.PhotometricInterpretation == "MONOCHROME1" else grey


def _window(image: Dataset, values: Any) -> tuple[float, float]:
    """Return the first window of an image, else the range of its values."""
    centre, width = (_first(image.get(name)) for name in ("WindowCenter", "WindowWidth"))
    if centre is not None and width is not None and width >= 1:
        return centre, width
    low, high = float(values.min()), float(values.max())
    return (low + high) / 2 + 0.5, max(high - low, 1.0) + 1


def _first(value: Any) -> float | None:
    if value is None or value == "":
        return None
    return float(value if isinstance(value, int | float) else value[0])
