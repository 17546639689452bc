"""Procedures, devices and immunisations."""

from typing import Any

from esante.core.types import Json
from esante.services.exchange.conversion.datatypes import (
    Amount,
    Coded,
    Concept,
    Ident,
    Moment,
    Number,
    Primitive,
    ReadContext,
    Words,
    WriteContext,
)
from esante.services.exchange.conversion.entries.entry import Entry
from esante.services.exchange.conversion.entries.named_concepts import NamedConcept
from esante.services.exchange.conversion.entries.observations import TEXT, UNKNOWN
from esante.services.exchange.conversion.fields import AnyField, Custom, Ext, Field, Group, Times
from esante.services.exchange.conversion.ledger import Fate
from esante.services.exchange.conversion.nodes import Node
from esante.services.exchange.conversion.paths import find, parse
from esante.services.exchange.conversion.people import Organizations, Roles
from esante.services.exchange.conversion.terms import CDA_CODE, EHDSI

_REASON = Field("entryRelationship[RSON]/observation/value:CD|CE|_", "reasonCode", Concept(), many=True, fresh=3)


def _not_done(status: str) -> Custom:
    """Return the field of a negation, which FHIR has as a status."""

    def read(node: Node, out: Json, place: str, context: ReadContext) -> None:
        if node.get("negationInd") == "true":
            node.take("negationInd", f"{place}.status", Fate.MERGED)
            out["status"] = status

    def write(source: Json, element: Any, context: WriteContext) -> None:
        if source.get("status") == status:
            context.take(source, "status", element, "negationInd", Fate.MERGED)
            element.set("negationInd", "true")

    return Custom(read, write)


def _finish_procedure(resource: Json, node: Node, section: str) -> bool:
    resource.setdefault("code", {"extension": [UNKNOWN]})
    return True


PROCEDURE = Entry(
    kind="Procedure",
    element="procedure",
    fields=(
        Field("id", "identifier", Ident(), many=True),
        *TEXT,
        NamedConcept("code", "unnamed", "code"),
        _not_done("not-done"),
        Field(
            "statusCode",
            "status",
            Coded(
                {
                    "completed": "completed",
                    "active": "in-progress",
                    "aborted": "stopped",
                    "suspended": "on-hold",
                    "nullified": "entered-in-error",
                }
            ),
        ),
        Times("effectiveTime", "performed"),
        Field("targetSiteCode", "bodySite", Concept(), many=True),
        Group("performer", "performer", (Roles("assignedEntity", "actor", many=False),), fresh=1),
        _REASON,
    ),
    defaults={"status": "unknown"},
    templates=(("1.3.6.1.4.1.19376.1.5.3.1.4.19", f"{EHDSI}.3.26"), ()),
    finish=_finish_procedure,
)


class _DeviceRef:
    """The device of a supply: a reference to a Device of the patient."""

    _STEPS = parse("participant[DEV]/participantRole")
    _FIELDS: tuple[AnyField, ...] = (
        Field("id", "identifier", Ident(), many=True),
        Field("playingDevice/code", "type", Concept()),
        Field("playingDevice/manufacturerModelName", "modelNumber", Words()),
    )

    def read(self, node: Node, out: Json, place: str, context: ReadContext) -> None:
        """Read the first device."""
        for found, way in find(node, self._STEPS):
            device: Json = {"resourceType": "Device"}
            for field in self._FIELDS:
                field.read(found, device, "Device", context)
            if len(device) > 1:
                for step, at in way:
                    step.mark(at, f"{place}.device")
                device["patient"] = {"reference": context.patient}
                out["device"] = {"reference": context.add(device)}
                return

    def write(self, source: Json, element: Any, context: WriteContext) -> None:
        """Write the device."""
        holder = source.get("device")
        if not isinstance(holder, dict):
            return
        made, top = context.writer.create(element, self._STEPS)
        made.set("classCode", "MANU")
        device = context.resolve(holder, made)
        owner = (device or {}).get("patient")
        another = isinstance(owner, dict) and owner.get("reference") != context.subject
        if device is None or device["resourceType"] != "Device" or another:
            top.getparent().remove(top)
            return
        self._write_carriers(device, made, context)
        for field in self._FIELDS:
            field.write(device, made, context)
        if isinstance(owner, dict):
            context.take(owner, "reference", made, "", Fate.MERGED)

    def _write_carriers(self, device: Json, element: Any, context: WriteContext) -> None:
        """Write what the device carries as its identifiers (UDI)."""
        for carrier in device.get("udiCarrier", ()):
            for key in ("carrierHRF", "deviceIdentifier"):
                if carrier.get(key):
                    made, _ = context.writer.create(element, parse("id"))
                    made.set("root", "1.3.160" if key == "deviceIdentifier" else "2.16.840.1.113883.3.3719")
                    made.set("extension", context.take(carrier, key, made, "extension", Fate.MOVED))


def _finish_device(resource: Json, node: Node, section: str) -> bool:
    return "device" in resource


DEVICE = Entry(
    kind="DeviceUseStatement",
    element="supply",
    fields=(
        Field("id", "identifier", Ident(), many=True),
        *TEXT,
        Field(
            "statusCode",
            "status",
            Coded(
                {"active": "active", "completed": "completed", "suspended": "on-hold", "nullified": "entered-in-error"}
            ),
        ),
        Times("effectiveTime", "timing"),
        _DeviceRef(),
    ),
    defaults={"status": "active"},
    templates=(("2.16.840.1.113883.10.20.1.34", f"{EHDSI}.3.5"), ()),
    finish=_finish_device,
)


def _read_occurrence(node: Node, out: Json, place: str, context: ReadContext) -> None:
    """Read when a vaccine was given: a day, else the beginning of the interval."""
    for found, way in find(node, parse("effectiveTime")):
        low = found.child("low")
        value = Moment().read(low if low is not None else found, f"{place}.occurrenceDateTime", context)
        if value is not None:
            for step, at in way:
                step.mark(at, place)
            if isinstance(value, Primitive):
                if value.value is not None:
                    out["occurrenceDateTime"] = value.value
                out["_occurrenceDateTime"] = {"extension": list(value.extension)}
            else:
                out["occurrenceDateTime"] = value
            return


def _finish_immunization(resource: Json, node: Node, section: str) -> bool:
    if not any(key.endswith("occurrenceDateTime") for key in resource):
        resource["_occurrenceDateTime"] = {"extension": [UNKNOWN]}
    resource.setdefault("vaccineCode", {"extension": [UNKNOWN]})
    for protocol in resource.get("protocolApplied", ()):
        if "doseNumberPositiveInt" not in protocol:
            protocol["_doseNumberPositiveInt"] = {"extension": [UNKNOWN]}
    return True


_PROTOCOL: tuple[AnyField, ...] = (
    Field("entryRelationship[SUBJ]/observation(30973-2)/value:INT", "doseNumberPositiveInt", Number(1)),
    Field(
        "entryRelationship[REFR|SUBJ]/observation(75323-6)/value:CD", "targetDisease", Concept(), many=True, fresh=3
    ),
)


def _vaccine(path: str) -> tuple[AnyField, ...]:
    return (
        NamedConcept(f"{path}/code", f"{path}/name", "vaccineCode"),
        Field(f"{path}/lotNumberText", "lotNumber", Words()),
        Field(f"{path}/p:expirationTime", "expirationDate", Moment("date")),
    )


IMMUNIZATION = Entry(
    kind="Immunization",
    element="substanceAdministration",
    fields=(
        Field("id", "identifier", Ident(), many=True),
        *TEXT,
        Ext("code", CDA_CODE, "valueCodeableConcept", Concept()),
        _not_done("not-done"),
        Field("statusCode", "status", Coded({"completed": "completed", "nullified": "entered-in-error"})),
        Custom(_read_occurrence, Field("effectiveTime", "occurrenceDateTime", Moment()).write),
        Field("routeCode", "route", Concept()),
        Field("approachSiteCode", "site", Concept()),
        Field("doseQuantity", "doseQuantity", Amount()),
        *_vaccine("consumable/manufacturedProduct/manufacturedMaterial"),
        Organizations("consumable/manufacturedProduct/manufacturerOrganization", "manufacturer"),
        Group("performer", "performer", (Roles("assignedEntity", "actor", many=False),), fresh=1),
        Group("", "protocolApplied", _PROTOCOL),
    ),
    moods=("EVN", "INT"),
    subject="patient",
    defaults={"status": "completed"},
    templates=(("2.16.840.1.113883.10.20.1.24", f"{EHDSI}.3.19"), ()),
    finish=_finish_immunization,
)
