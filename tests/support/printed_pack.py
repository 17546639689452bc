"""The printed code of a pack as a film for a browser's camera."""

from pathlib import Path

import zxingcpp
from PIL import Image

WIDTH, HEIGHT, FRAMES = 640, 480, 3


def draw_pack(code: str) -> Image.Image:
    """Return a picture of a pack with a GS1 DataMatrix, whose elements have brackets in `code`, and some print."""
    symbol = zxingcpp.create_barcode(code, zxingcpp.BarcodeFormat.DataMatrix, gs1=True)
    drawn = Image.fromarray(zxingcpp.write_barcode_to_image(symbol, scale=7, add_quiet_zones=True)).convert("L")
    pack = Image.new("L", (WIDTH, HEIGHT), 225)
    pack.paste(drawn, ((WIDTH - drawn.width) // 2, (HEIGHT - drawn.height) // 2))
    return pack


def write_film(path: Path, picture: Image.Image) -> None:
    """Write a picture as a film in YUV4MPEG2, which Chromium plays as its camera, again and again."""
    colour = bytes([128]) * (WIDTH // 2 * (HEIGHT // 2) * 2)
    frame = b"FRAME\n" + picture.convert("L").tobytes() + colour
    path.write_bytes(f"YUV4MPEG2 W{WIDTH} H{HEIGHT} F10:1 Ip A1:1 C420jpeg\n".encode() + frame * FRAMES)
