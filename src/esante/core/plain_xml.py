"""XML of other systems: read without a document type, without entities, and without fetching anything."""

from lxml import etree


class BrokenXml(ValueError):
    """Bytes that are not accepted as XML: the reason, and the line where the parser stopped (0: none)."""

    def __init__(self, reason: str, line: int = 0) -> None:
        super().__init__(reason)
        self.line = line


def parse_xml(data: bytes, *, max_markup: int | None = None) -> etree._Element:
    """Return the root element.

    `max_markup`: how many tags and attributes there may be; a tree takes many times the memory of its text. Depth and
    lengths are bounded by libxml2 (256 levels, texts of 10 MB). Raises: `BrokenXml`.
    """
    if max_markup is not None and data.count(b"<") + data.count(b"=") > max_markup:
        raise BrokenXml(f"more than {max_markup:,} tags and attributes")
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False)
    try:
        root = etree.fromstring(data, parser)
    except etree.XMLSyntaxError as error:
        raise BrokenXml(str(error), error.lineno or 0) from error
    except ValueError as error:  # an encoding that libxml2 does not know, or a declaration in a text
        raise BrokenXml(str(error)) from error
    info = root.getroottree().docinfo
    if info.internalDTD is not None or info.externalDTD is not None:
        raise BrokenXml("a document type declaration is not allowed")
    return root
