"""Malicious documents: small to send, expensive or dangerous to process."""

import struct
import zlib

BILLION_LAUGHS = (
    "<!DOCTYPE lolz [<!ENTITY a0 'lol'>"
    + "".join(f"<!ENTITY a{n} '{f'&a{n - 1};' * 10}'>" for n in range(1, 10))
    + "]>"
)
LOCAL_FILE = '<!DOCTYPE x [<!ENTITY file SYSTEM "file:///etc/passwd">]>'


def pdf(*objects: bytes, streams: dict[int, bytes] | None = None) -> bytes:
    """Return a PDF of these objects, numbered from 1 (the catalog), with a valid cross-reference table."""
    body, places = b"%PDF-1.7\n", []
    for number, content in enumerate(objects, 1):
        places.append(len(body))
        body += b"%d 0 obj\n%s\nendobj\n" % (number, content)
    start = len(body)
    table = b"".join(b"%010d 00000 n \n" % place for place in places)
    head = b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
    return (
        body + head + table + b"trailer\n<</Size %d/Root 1 0 R>>\nstartxref\n%d\n%%%%EOF" % (len(objects) + 1, start)
    )


def flate_bomb(size: int) -> bytes:
    """Return a page with `size` bytes of drawing operators, compressed about a thousandfold."""
    compressor = zlib.compressobj(9)
    step = b"0 0 m 9 9 l S\n" * 75_000
    compressed = b"".join(compressor.compress(step) for _ in range(size // len(step))) + compressor.flush()
    stream = b"<</Length %d/Filter/FlateDecode>>\nstream\n%s\nendstream" % (len(compressed), compressed)
    page = b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 595 842]/Contents 4 0 R/Resources<<>>>>"
    return pdf(b"<</Type/Catalog/Pages 2 0 R>>", b"<</Type/Pages/Count 1/Kids[3 0 R]>>", page, stream)


def huge_page() -> bytes:
    """Return a page with sides of a million inches."""
    page = b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 72000000 72000000]/Resources<<>>>>"
    return pdf(b"<</Type/Catalog/Pages 2 0 R>>", b"<</Type/Pages/Count 1/Kids[3 0 R]>>", page)


def endless_pages() -> bytes:
    """Return a page tree that contains itself and claims a billion pages."""
    return pdf(b"<</Type/Catalog/Pages 2 0 R>>", b"<</Type/Pages/Count 1000000000/Kids[2 0 R 2 0 R]/Parent 2 0 R>>")


def active_content() -> bytes:
    """Return a page with JavaScript that runs when it is opened."""
    page = b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 595 842]/Resources<<>>>>"
    return pdf(
        b"<</Type/Catalog/Pages 2 0 R/OpenAction 4 0 R/Names<</JavaScript<</Names[(a)4 0 R]>>>>>>",
        b"<</Type/Pages/Count 1/Kids[3 0 R]>>",
        page,
        b"<</S/JavaScript/JS(app.alert\\(1\\))>>",
    )


def huge_image() -> bytes:
    """Return a PNG that claims 100,000 pixels a side."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    header = struct.pack(">IIBBBBB", 100_000, 100_000, 8, 2, 0, 0, 0)
    data = zlib.compress(bytes(1_000_000))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", data) + chunk(b"IEND", b"")
