"""Values in forms of signing in."""

from typing import Any
from urllib.parse import urlsplit

from starlette.datastructures import FormData


def form_value(form: FormData, name: str) -> str:
    """Return a text field of a form, stripped; "" when it is missing or a file."""
    value: Any = form.get(name, "")
    return value.strip() if isinstance(value, str) else ""


def form_bytes(form: FormData, name: str) -> bytes:
    """Return bytes in a form that stand there in hexadecimal; none for anything else."""
    try:
        return bytes.fromhex(form_value(form, name))
    except ValueError:
        return b""


def local_address(text: str) -> str:
    """Return an address within the portal; anything else becomes the home page."""
    inside = text.startswith("/") and not text.startswith("//") and "\\" not in text and text.isprintable()
    return text if inside and not urlsplit(text).netloc else "/"
