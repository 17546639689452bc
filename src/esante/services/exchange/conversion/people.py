"""Persons, organisations and devices that take part: one role in CDA, several linked resources in FHIR."""

from typing import Any

from esante.core.types import Json
from esante.services.exchange.conversion.datatypes import (
    Concept,
    Ident,
    PersonName,
    PostalAddress,
    ReadContext,
    Telecom,
    Words,
    WriteContext,
    sub,
    xml_text,
)
from esante.services.exchange.conversion.fields import AnyField, Field
from esante.services.exchange.conversion.ledger import DERIVABLE, Fate
from esante.services.exchange.conversion.nodes import Node
from esante.services.exchange.conversion.paths import find, parse

ORGANIZATION: tuple[AnyField, ...] = (
    Field("id", "identifier", Ident(), many=True),
    Field("name", "name", Words()),
    Field("telecom", "telecom", Telecom(), many=True),
    Field("addr", "address", PostalAddress(), many=True),
)
_CONTACT: tuple[AnyField, ...] = (
    Field("id", "identifier", Ident(), many=True),
    Field("addr", "address", PostalAddress(), many=True),
    Field("telecom", "telecom", Telecom(), many=True),
)
_DEVICE_ID: tuple[AnyField, ...] = (
    Field("id", "identifier", Ident(), many=True),
    Field("telecom", "contact", Telecom(), many=True),
)


def read_resource(node: Node, kind: str, fields: tuple[AnyField, ...], context: ReadContext) -> Json | None:
    """Return a reference to a resource that is read from an element; None when there is nothing in it."""
    resource: Json = {"resourceType": kind}
    for field in fields:
        field.read(node, resource, kind, context)
    if len(resource) == 1 or set(resource) == {"resourceType", "_name"}:
        return None
    return {"reference": context.add(resource, shared=True)}


class Organizations:
    """A reference to an Organization."""

    def __init__(self, path: str, key: str) -> None:
        self._steps, self._key = parse(path), key

    def read(self, node: Node, out: Json, place: str, context: ReadContext) -> None:
        """Read the first organisation."""
        for found, way in find(node, self._steps):
            reference = read_resource(found, "Organization", ORGANIZATION, context)
            if reference is not None:
                for step, at in way:
                    step.mark(at, f"{place}.{self._key}")
                out[self._key] = reference
                return

    def write(self, source: Json, element: Any, context: WriteContext) -> None:
        """Write the organisation that is referred to."""
        holder = source.get(self._key)
        if isinstance(holder, dict):
            made, top = context.writer.create(element, self._steps)
            if not write_organization(holder, made, context):
                top.getparent().remove(top)


def write_organization(holder: Json, element: Any, context: WriteContext) -> bool:
    """Write an organisation that is referred to, or its display; tell whether there is one."""
    organization = context.resolve(holder, element)
    if organization is not None and organization.get("resourceType") == "Organization":
        for field in ORGANIZATION:
            field.write(organization, element, context)
        return True
    if holder.get("display"):
        name = sub(element, "name")
        name.text = xml_text(context.take(holder, "display", name))
        return True
    return False


class Roles:
    """References to who took part: a PractitionerRole, a Practitioner, an Organization or a Device.

    `person` and `organization` are the names of the parts in CDA (assignedPerson, representedOrganization).
    """

    def __init__(
        self, path: str, key: str, *, many: bool = True, organization: str = "representedOrganization"
    ) -> None:
        self._steps, self._key, self._many, self._organization = parse(path), key, many, organization

    def read(self, node: Node, out: Json, place: str, context: ReadContext) -> None:
        """Read each match into a reference."""
        for found, way in find(node, self._steps):
            reference = read_role(found, self._organization, context)
            if reference is None:
                continue
            for step, at in way:
                step.mark(at, f"{place}.{self._key}")
            if not self._many:
                out.setdefault(self._key, reference)
                return
            out.setdefault(self._key, []).append(reference)

    def write(self, source: Json, element: Any, context: WriteContext) -> None:
        """Write each role."""
        found = source.get(self._key)
        for holder in found if isinstance(found, list) else [found] if isinstance(found, dict) else ():
            made, top = context.writer.create(element, self._steps, fresh=len(self._steps))
            if not write_role(holder, made, self._organization, context):
                top.getparent().remove(top)


def read_role(node: Node, organization_name: str, context: ReadContext) -> Json | None:
    """Return the reference to who has a role; None when nobody is named."""
    organization_node = node.child(organization_name)
    organization = (
        read_resource(organization_node, "Organization", ORGANIZATION, context) if organization_node else None
    )
    device = node.child("assignedAuthoringDevice")
    if device is not None:
        resource: Json = {"resourceType": "Device"}
        for field in _DEVICE_ID:
            field.read(node, resource, "Device", context)
        name = device.child("softwareName")
        text = name.take_text("Device.deviceName.name") if name is not None else None
        if text:
            resource["deviceName"] = [{"name": text, "type": "other"}]
        model = device.child("manufacturerModelName")
        number = model.take_text("Device.modelNumber") if model is not None else None
        if number:
            resource["modelNumber"] = number
        if organization is not None:
            resource["owner"] = organization
        return {"reference": context.add(resource, shared=True)} if len(resource) > 1 else None
    fields: tuple[AnyField, ...] = (*_CONTACT, Field("assignedPerson/name", "name", PersonName(), many=True))
    practitioner: Json = {"resourceType": "Practitioner"}
    for field in fields:
        field.read(node, practitioner, "Practitioner", context)
    codes = [
        code
        for child in node.all("code")
        if (code := Concept().read(child, "PractitionerRole.code", context)) is not None
    ]
    if len(practitioner) == 1 and not codes:
        return organization
    reference = {"reference": context.add(practitioner, shared=True)} if len(practitioner) > 1 else None
    if organization is None and not codes:
        return reference
    role: Json = {"resourceType": "PractitionerRole"}
    if reference is not None:
        role["practitioner"] = reference
    if organization is not None:
        role["organization"] = organization
    if codes:
        role["code"] = codes
    return {"reference": context.add(role, shared=True)}


def write_role(holder: Json, element: Any, organization_name: str, context: WriteContext) -> bool:
    """Write who has a role into an element; tell whether somebody is named."""
    resource = context.resolve(holder, element)
    kind = resource.get("resourceType") if resource is not None else ""
    if resource is None:
        if not holder.get("display"):
            return False
        name = sub(sub(element, "assignedPerson"), "name")
        name.text = xml_text(context.take(holder, "display", name))
        return True
    if kind == "Organization":
        for field in ORGANIZATION:
            field.write(resource, sub_once(element, organization_name), context)
        return True
    if kind == "Device":
        _write_device(resource, element, organization_name, context)
        return True
    if kind == "PractitionerRole":
        Field("code", "code", Concept(), many=True).write(resource, element, context)
        if isinstance(resource.get("organization"), dict):
            made = sub(element, organization_name)
            if not write_organization(resource["organization"], made, context):
                element.remove(made)
        practitioner = context.resolve(resource.get("practitioner", {}), element)
        if practitioner is None:
            Field("telecom", "telecom", Telecom(), many=True).write(resource, element, context)
            return True
        resource = practitioner
    if resource.get("resourceType") not in ("Practitioner", "Patient", "RelatedPerson"):
        return False
    for field in (*_CONTACT, Field("assignedPerson/name", "name", PersonName(), many=True)):
        field.write(resource, element, context)
    return True


def _write_device(resource: Json, element: Any, organization_name: str, context: WriteContext) -> None:
    for field in _DEVICE_ID:
        field.write(resource, element, context)
    device = sub(element, "assignedAuthoringDevice")
    if resource.get("modelNumber"):
        model = sub(device, "manufacturerModelName")
        model.text = xml_text(context.take(resource, "modelNumber", model))
    for name in resource.get("deviceName", ())[:1]:
        if name.get("name"):
            software = sub(device, "softwareName")
            software.text = xml_text(context.take(name, "name", software))
            context.ledger.mark(name, "type", Fate.DROPPED, "", DERIVABLE)
    if isinstance(resource.get("owner"), dict):
        made = sub(element, organization_name)
        if not write_organization(resource["owner"], made, context):
            element.remove(made)


def sub_once(element: Any, name: str) -> Any:
    """Return the child of a name, made when it is missing."""
    found = element.find(f"{{*}}{name}")
    return sub(element, name) if found is None else found
