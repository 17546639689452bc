"""Stored queries and their answers (IHE ITI-18, ITI-38; ITI TF-2, 3.18.4.1.2)."""

import re
from collections.abc import Iterable

from lxml import etree

from esante.core.soap import Malformed
from esante.core.xds.metadata import (
    read_associations,
    read_documents,
    slot_values,
    write_association,
    write_document,
    write_reference,
)
from esante.core.xds.model import Listing, StoredQuery
from esante.core.xds.names import QUERY, RIM
from esante.core.xds.response import add_errors, read_errors, status_of
from esante.core.xds.submission import read_submission_sets, write_submission_set

REQUEST = f"{{{QUERY}}}AdhocQueryRequest"
RESPONSE = f"{{{QUERY}}}AdhocQueryResponse"
MAX_VALUES = 1_000
"""Values of all parameters of a query."""
_STRING = re.compile(r"'((?:[^']|'')*)'")
_NUMBER = re.compile(r"\d{1,18}")


def read_query(content: etree._Element) -> StoredQuery:
    """Return the query of a request. Raises: `Malformed`."""
    if content.tag != REQUEST:
        raise Malformed("Body: AdhocQueryRequest is needed")
    queries = content.findall(f"{{{RIM}}}AdhocQuery")
    if len(queries) != 1:
        raise Malformed(f"AdhocQuery: one is needed, there are {len(queries)}")
    parameters: dict[str, list[str]] = {}
    count = 0
    for slot in queries[0].findall(f"{{{RIM}}}Slot"):
        name = slot.get("name", "")
        if name in parameters:
            raise Malformed(f"Slot {name[:60]}: it occurs twice")
        parameters[name] = [one for text in slot_values(queries[0], name) for one in parse_value(text, name)]
        count += len(parameters[name])
        if count > MAX_VALUES:
            raise Malformed(f"AdhocQuery: there are more than {MAX_VALUES:,} values")
    option = content.find(f"{{{QUERY}}}ResponseOption")
    only_references = option is not None and option.get("returnType") == "ObjectRef"
    return StoredQuery(queries[0].get("id", ""), parameters, only_references)


def write_query(query: StoredQuery) -> etree._Element:
    """Return the request with a query; values are sent as lists, but for single ones, which are sent as such."""
    root = etree.Element(REQUEST, nsmap={"query": QUERY, None: RIM})
    kind = "ObjectRef" if query.only_references else "LeafClass"
    etree.SubElement(root, f"{{{QUERY}}}ResponseOption", returnComposedObjects="true", returnType=kind)
    holder = etree.SubElement(root, f"{{{RIM}}}AdhocQuery", id=query.id)
    for name, values in query.parameters.items():
        slot = etree.SubElement(holder, f"{{{RIM}}}Slot", name=name)
        quoted = ["'" + value.replace("'", "''") + "'" for value in values]
        text = quoted[0] if name.endswith("PatientId") and len(quoted) == 1 else f"({','.join(quoted)})"
        etree.SubElement(etree.SubElement(slot, f"{{{RIM}}}ValueList"), f"{{{RIM}}}Value").text = text
    return root


def read_listing(content: etree._Element) -> Listing:
    """Return what a registry answered. Raises: `Malformed`."""
    if content.tag != RESPONSE:
        raise Malformed("Body: AdhocQueryResponse is needed")
    return Listing(
        documents=read_documents(content),
        associations=read_associations(content),
        errors=read_errors(content),
        is_failure=content.get("status", "").endswith(":Failure"),
        submission_sets=tuple(read_submission_sets(content)),
    )


def write_listing(found: Listing) -> etree._Element:
    """Return the answer with what was found."""
    has_objects = bool(found.documents or found.submission_sets)
    status = status_of(found.errors, is_failure=found.is_failure, is_partial=has_objects)
    root = etree.Element(RESPONSE, nsmap={"query": QUERY, None: RIM}, status=status)
    add_errors(root, found.errors)
    objects = etree.SubElement(root, f"{{{RIM}}}RegistryObjectList")
    if found.only_references:
        uuids = [one.entry_uuid for one in found.submission_sets] + [one.entry_uuid for one in found.documents]
        objects.extend(map(write_reference, uuids + [one.entry_uuid for one in found.associations]))
        return root
    objects.extend(map(write_submission_set, found.submission_sets))
    objects.extend(map(write_document, found.documents))
    objects.extend(map(write_association, found.associations))
    return root


def parse_value(text: str, name: str = "Value") -> Iterable[str]:
    """Return the values in the text of a parameter: 'a', ('a','b') or a number. Raises: `Malformed`."""
    inner = text.strip()
    if inner.startswith("(") and inner.endswith(")"):
        inner = inner[1:-1].strip()
    values, place = [], 0
    while place < len(inner):
        found = _STRING.match(inner, place) or _NUMBER.match(inner, place)
        if found is None:
            raise Malformed(f"Slot {name[:60]}: the value is neither a number nor in single quotes")
        values.append(found[1].replace("''", "'") if found.re is _STRING else found[0])
        rest = inner[found.end() :].lstrip()
        if rest and not rest.startswith(","):
            raise Malformed(f"Slot {name[:60]}: values are separated by commas")
        place = len(inner) - len(rest[1:].lstrip())
    return values
