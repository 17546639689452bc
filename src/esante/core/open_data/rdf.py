"""Nodes as JSON-LD 1.1 and as Turtle 1.1."""

from collections.abc import Iterator, Mapping

import orjson

from esante.core.types import Json

PREFIXES: Mapping[str, str] = {
    "dcat": "http://www.w3.org/ns/dcat#",
    "dct": "http://purl.org/dc/terms/",
    "foaf": "http://xmlns.com/foaf/0.1/",
    "vcard": "http://www.w3.org/2006/vcard/ns#",
    "spdx": "http://spdx.org/rdf/terms#",
    "xsd": "http://www.w3.org/2001/XMLSchema#",
    "adms": "http://www.w3.org/ns/adms#",
}
"""The prefixes of DCAT-AP. Released files hold them: others are added beside them (`HEALTH_PREFIXES`)."""
HEALTH_PREFIXES: Mapping[str, str] = {
    **PREFIXES,
    "dcatap": "http://data.europa.eu/r5r/",
    "dpv": "https://w3id.org/dpv#",
    "healthdcatap": "http://healthdataportal.eu/ns/health#",
}
"""Those of HealthDCAT-AP."""


def encode_jsonld(node: Json, prefixes: Mapping[str, str] = PREFIXES) -> bytes:
    """Return a node as JSON-LD 1.1 with its context."""
    return orjson.dumps({"@context": dict(prefixes), **node}, option=orjson.OPT_INDENT_2) + b"\n"


def encode_turtle(node: Json, prefixes: Mapping[str, str] = PREFIXES) -> bytes:
    """Return a node as Turtle 1.1."""
    lines = [f"@prefix {name}: <{url}> ." for name, url in prefixes.items()]
    return "\n".join([*lines, "", *_turtle_blocks(node)]).encode()


def _turtle_blocks(node: Json) -> Iterator[str]:
    """Yield the block of a resource with its properties, then those of nested resources; references have none."""
    nested = []
    lines = [f"<{node['@id']}> a {node['@type']}"]
    for name, value in node.items():
        if name.startswith("@"):
            continue
        values = value if isinstance(value, list) else [value]
        lines.append(f"    {name} " + ", ".join(_turtle_term(one) for one in values))
        nested += [one for one in values if isinstance(one, dict) and "@type" in one and "@id" in one]
    yield " ;\n".join(lines) + " .\n"
    for one in nested:
        yield from _turtle_blocks(one)


def _turtle_term(value: str | Json) -> str:
    if isinstance(value, str):
        return _turtle_string(value)
    if "@id" in value:
        return f"<{value['@id']}>"
    if "@language" in value:
        return f"{_turtle_string(value['@value'])}@{value['@language']}"
    return f"{_turtle_string(value['@value'])}^^{value['@type']}"


def _turtle_string(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n").replace("\r", "\\r")
    return f'"{escaped}"'
