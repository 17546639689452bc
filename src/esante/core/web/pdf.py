"""PDF/A and PDF/UA-1 by Typst: for people to keep and to read aloud.

Typst refuses a PDF/UA with a picture without text alternative or with a heading out of order.
"""

from collections.abc import Mapping
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any, Literal


class FontsMissing(RuntimeError):
    """The fonts of the PDF are not installed."""


def typeset_pdf(
    template: bytes, inputs: Mapping[str, str], at: datetime, *, standard: Literal["a-2a", "a-3a"] = "a-2a"
) -> bytes:
    """Return the PDF of a Typst template with its `sys.inputs`, dated `at`; the same data gives the same bytes.

    `standard`: of PDF/A; a-3a allows attached files of any kind.
    Raises: FontsMissing, and typst.TypstError when the layout is not accessible (PDF/UA-1).
    """
    import typst

    return typst.compile(
        template,
        font_paths=_fonts(),
        pdf_standards=[standard, "ua-1"],
        sys_inputs=dict(inputs),
        timestamp=int(at.timestamp()),
    )


@cache
def _fonts() -> Any:
    """Return the fonts that `make install` makes, and no others. Raises: FontsMissing."""
    import typst

    folder = Path(__file__).parent / "static" / "vendor"
    if not list(folder.glob("*.ttf")):
        raise FontsMissing(f"there are no fonts for the PDF in {folder}; run: make install")
    return typst.Fonts(include_system_fonts=False, font_paths=[folder])
