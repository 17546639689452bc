"""The deposited package as the kit reads it: the ZIP, its one file, the fields of the note."""

import re
import zipfile
from io import BytesIO
from typing import Any

from lxml import etree

from esante.core.plain_xml import BrokenXml, parse_xml
from esante.services.conformance.kits.checks import expect
from esante.services.conformance.kits.model import Fault

NAMESPACE = "http://www.secu.lu/ciss/cns"
MAX_XML = 4 * 1024 * 1024
FILE_NAME = re.compile(
    r"F90[0-9]{6}20[0-9]{2}(?:0[1-9]|1[0-2])_MED_MHM_[0-9]{3}_[0-9]{2}01_"
    r"([0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12})\.xml"
)


def unzip(body: bytes) -> list[tuple[str, bytes]]:
    """Return the names and contents of the files in a ZIP. Raises: `Fault` for what is none, or too large."""
    try:
        with zipfile.ZipFile(BytesIO(body)) as archive:
            entries = archive.infolist()[:10]
            expect(sum(one.file_size for one in entries) <= MAX_XML, "The files are too large.", "Send one fee note.")
            return [(one.filename, archive.read(one)) for one in entries]
    except (zipfile.BadZipFile, RuntimeError, NotImplementedError, OSError, EOFError) as error:
        raise Fault("The body is no ZIP file.", "Send a ZIP with the note as its only file.") from error


def parse(content: bytes) -> Any:
    """Return the root element of a note, without loading anything else. Raises: `Fault` for what is no XML."""
    try:
        return parse_xml(content)
    except BrokenXml as error:
        raise Fault(f"The file is no XML: {error}.", "Write well-formed XML.") from error


def local_name(element: Any) -> str:
    """Return the name of an element without its namespace; "" for a comment."""
    return etree.QName(element).localname if isinstance(element.tag, str) else ""


def children(element: Any, name: str) -> list[Any]:
    """Return the children with a name, with or without the namespace."""
    return [one for one in element if local_name(one) == name]


def text_at(element: Any, *path: str) -> str:
    """Return the text at a path of names; "" where there is none."""
    for name in path:
        found = children(element, name)
        if not found:
            return ""
        element = found[0]
    return str(element.text or "").strip()


def need(element: Any, *path: str) -> str:
    """Return the text at a path. Raises: `Fault` where there is none."""
    found, place = text_at(element, *path), "/".join(path)
    expect(found, f"{local_name(element)}/{place} is missing or empty.", f"Fill in {place}.")
    return found


def need_block(element: Any, name: str) -> Any:
    """Return the child with a name. Raises: `Fault` where there is none."""
    found = children(element, name)
    expect(found, f"{local_name(element)} has no {name}.", f"Add {name}.")
    return found[0]
