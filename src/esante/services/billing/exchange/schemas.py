"""The schemas and the description (WSDL) of the exchange: published, and applied to requests."""

from collections.abc import Mapping
from functools import cache
from pathlib import Path

from lxml import etree

from esante.services.billing.exchange.faults import fault

_FOLDER = Path(__file__).parent / "data"
PID_SCHEMA, RA_SCHEMA = "pid.xsd", "ra.xsd"
SCHEMAS = (PID_SCHEMA, RA_SCHEMA, "common.xsd", "sync.xsd", "trust.xsd")


def wsdl(address: str) -> bytes:
    """Return the WSDL of the exchange at an address."""
    return (_FOLDER / "exchange.wsdl").read_bytes().replace(b"ADDRESS", address.encode())


@cache
def published_schemas() -> Mapping[str, bytes]:
    """Return the schemas by their file names."""
    return {name: (_FOLDER / name).read_bytes() for name in SCHEMAS}


def check_content(content: etree._Element, root: str, schema_name: str = PID_SCHEMA) -> None:
    """Raise `Problem` unless an element is the one named `root` (Clark notation), valid under a schema."""
    place = etree.QName(root).localname
    if content.tag != root:
        raise fault("content", "RequestInfo", f"{place} is expected.")
    schema = _schema(schema_name)
    if not schema.validate(content):
        error = schema.error_log[0]
        raise fault("content", _place_of(error.path or place), error.message)


@cache
def _schema(name: str) -> etree.XMLSchema:
    return etree.XMLSchema(file=str(_FOLDER / name))


def _place_of(path: str) -> str:
    """Return a path without the envelope around it and without prefixes, which are the sender's."""
    return "/".join(part.rpartition(":")[2] for part in path.split("/")[-6:] if part)
