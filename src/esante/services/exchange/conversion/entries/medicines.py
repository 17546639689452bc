"""What is taken, prescribed and dispensed: substanceAdministration and supply of CDA."""

from decimal import Decimal
from typing import Any

from esante.core.types import Json
from esante.services.exchange.conversion.datatypes import (
    Amount,
    Bounded,
    Coded,
    Concept,
    Flag,
    Ident,
    Interval,
    Moment,
    Number,
    ReadContext,
    Words,
    WriteContext,
    absent_extensions,
)
from esante.services.exchange.conversion.entries.entry import Entry
from esante.services.exchange.conversion.entries.observations import TEXT, UNKNOWN
from esante.services.exchange.conversion.entries.products import Product, is_absent
from esante.services.exchange.conversion.fields import AnyField, Custom, Ext, Field, Group, Times
from esante.services.exchange.conversion.ledger import Fate
from esante.services.exchange.conversion.nodes import Node
from esante.services.exchange.conversion.paths import find, parse
from esante.services.exchange.conversion.people import Roles
from esante.services.exchange.conversion.terms import CDA_CODE, EHDSI, OWN

_UNITS = {"s": "s", "min": "min", "h": "h", "d": "d", "wk": "wk", "mo": "mo", "a": "a"}
_WHEN = {
    "HS",
    "WAKE",
    "C",
    "CM",
    "CD",
    "CV",
    "AC",
    "ACM",
    "ACD",
    "ACV",
    "PC",
    "PCM",
    "PCD",
    "PCV",
    "MORN",
    "MORN.early",
    "MORN.late",
    "NOON",
    "AFT",
    "AFT.early",
    "AFT.late",
    "EVE",
    "EVE.early",
    "EVE.late",
    "NIGHT",
    "PHS",
}


def _read_period(node: Node, out: Json, place: str, context: ReadContext) -> None:
    """Read a PIVL_TS: once in each period."""
    for found, way in find(node, parse("effectiveTime:PIVL_TS")):
        period = found.child("period")
        amount = Amount().read(period, f"{place}.period", context) if period is not None else None
        unit = _UNITS.get(str(amount.get("unit"))) if amount else None
        if not amount or unit is None or amount.get("value", 0) <= 0:
            if period is not None:
                for name in ("value", "unit", "nullFlavor"):
                    period.marks.pop(name, None)
            continue
        out |= {"frequency": 1, "period": amount["value"], "periodUnit": unit}
        for step, at in way:
            step.mark(at, place)
        institution = found.get("institutionSpecified")
        if institution in ("true", "false"):
            found.take("institutionSpecified", f"{place}.extension", Fate.MOVED)
            url = f"{OWN}/institution-specified"
            out.setdefault("extension", []).append({"url": url, "valueBoolean": institution == "true"})
        return


def _write_period(source: Json, element: Any, context: WriteContext) -> None:
    """Write a PIVL_TS: the period divided by the frequency."""
    period, unit, frequency = source.get("period"), source.get("periodUnit"), source.get("frequency", 1)
    ranges = ("frequencyMax", "periodMax", "durationMax", "duration", "dayOfWeek", "timeOfDay", "count", "countMax")
    if period is None or unit not in _UNITS or any(name in source for name in ranges) or frequency < 1:
        return
    value = Decimal(str(period))
    if frequency > 1:
        factor = {"d": ("h", 24), "wk": ("d", 7), "h": ("min", 60), "min": ("s", 60)}.get(unit, (unit, 1))
        exact = value * factor[1] / frequency
        if exact * frequency != value * factor[1] or len(str(exact)) > 12:
            return
        value, unit = exact, factor[0]
    made, _ = context.writer.create(element, parse("effectiveTime:PIVL_TS/period"))
    made.set("value", format(value.normalize(), "f") if frequency > 1 else str(value))
    made.set("unit", unit)
    fate = Fate.KEPT if frequency == 1 else Fate.MERGED
    context.take(source, "period", made, "value", fate)
    context.take(source, "periodUnit", made, "unit", fate)
    if "frequency" in source:
        context.take(source, "frequency", made, "value", Fate.MERGED)
    made.getparent().set("operator", "A")
    url = f"{OWN}/institution-specified"
    Ext("", url, "valueBoolean", Flag("institutionSpecified")).write(source, made.getparent(), context)


class _Event:
    """The event of an EIVL_TS."""

    def read(self, node: Node, target: str, context: ReadContext) -> Any:
        return node.take("code", target) if node.get("code") in _WHEN else None

    def write(self, container: Any, key: str | int, element: Any, context: WriteContext) -> bool:
        element.set("code", context.take(container, key, element, "code"))
        element.getparent().set("operator", "A")
        return True


def _read_dose(node: Node, out: Json, place: str, context: ReadContext) -> None:
    for name, base in (("doseQuantity", "dose"), ("rateQuantity", "rate")):
        child = node.child(name)
        if child is None:
            continue
        if child.child("low") is not None or child.child("high") is not None:
            found = Bounded().read_range(child, f"{place}.{base}Range", context)
            if found:
                out[f"{base}Range"] = found
        else:
            amount = Amount().read(child, f"{place}.{base}Quantity", context)
            if amount:
                out[f"{base}Quantity"] = amount


def _write_dose(source: Json, element: Any, context: WriteContext) -> None:
    for name, base in (("doseQuantity", "dose"), ("rateQuantity", "rate")):
        Field(name, f"{base}Range", Bounded()).write(source, element, context)
        Field(name, f"{base}Quantity", Amount()).write(source, element, context)


def _dosage(key: str, *, bounds: bool, instruction: str = "") -> Group:
    repeat: list[AnyField] = [
        Custom(_read_period, _write_period),
        Field("effectiveTime:EIVL_TS/event", "when", _Event(), many=True, fresh=2),
    ]
    if bounds:
        repeat.insert(0, Field("effectiveTime:IVL_TS|_", "boundsPeriod", Interval()))
    timing = Group("", "timing", (Group("", "repeat", repeat, many=False),), many=False)
    text = [Field("entryRelationship[SUBJ]/act(PINSTRUCT)/text", "patientInstruction", Words())] if instruction else []
    return Group(
        "",
        key,
        (
            Field("text", "text", Words()),
            *text,
            timing,
            Field("routeCode", "route", Concept()),
            Field("approachSiteCode", "site", Concept()),
            Group("", "doseAndRate", (Custom(_read_dose, _write_dose),)),
        ),
    )


_MEDICATION_STATUS = {
    "active": "active",
    "completed": "completed",
    "suspended": "on-hold",
    "aborted": "stopped",
    "nullified": "entered-in-error",
}
_REASON = Field("entryRelationship[RSON]/observation/value:CD|CE|_", "reasonCode", Concept(), many=True, fresh=3)


def _read_code(node: Node, out: Json, place: str, context: ReadContext) -> None:
    """Read the code of a statement: its kind, or, without a medicine, that there is none."""
    if "medicationReference" not in out:
        Field("code", "medicationCodeableConcept", Concept()).read(node, out, place, context)
        if "medicationCodeableConcept" not in out:
            absent = _absent_medicine(node, place)
            out["medicationCodeableConcept"] = {"extension": list(absent) or [UNKNOWN]}
        return
    Ext("code", CDA_CODE, "valueCodeableConcept", Concept()).read(node, out, place, context)


def _absent_medicine(node: Node, place: str) -> tuple[Json, ...]:
    for path in (
        "consumable/manufacturedProduct/manufacturedMaterial",
        "consumable/manufacturedProduct",
        "consumable",
    ):
        for found, _ in find(node, parse(path)):
            absent = absent_extensions(found, f"{place}.medicationCodeableConcept")
            if absent:
                return absent
    return ()


def _write_code(source: Json, element: Any, context: WriteContext) -> None:
    concept = source.get("medicationCodeableConcept")
    if isinstance(concept, dict) and is_absent(concept):
        Field("code", "medicationCodeableConcept", Concept()).write(source, element, context)
        made, _ = context.writer.create(element, parse("consumable/manufacturedProduct/manufacturedMaterial"))
        made.set("nullFlavor", "NA")
        return
    Ext("code", CDA_CODE, "valueCodeableConcept", Concept()).write(source, element, context)


def _read_not_taken(node: Node, out: Json, place: str, context: ReadContext) -> None:
    if node.get("negationInd") == "true":
        node.take("negationInd", f"{place}.status", Fate.MERGED)
        out["status"] = "not-taken"


def _write_not_taken(source: Json, element: Any, context: WriteContext) -> None:
    if source.get("status") == "not-taken":
        context.take(source, "status", element, "negationInd", Fate.MERGED)
        element.set("negationInd", "true")


_CODE = Custom(_read_code, _write_code)
_COMMON: tuple[AnyField, ...] = (
    Field("id", "identifier", Ident(), many=True),
    *TEXT,
    Product("consumable/manufacturedProduct"),
    _CODE,
    _REASON,
)
STATEMENT = Entry(
    kind="MedicationStatement",
    element="substanceAdministration",
    fields=(
        *_COMMON,
        Custom(_read_not_taken, _write_not_taken),
        Field("statusCode", "status", Coded(_MEDICATION_STATUS)),
        Times("effectiveTime:IVL_TS|_", "effective", typed=True),
        _dosage("dosage", bounds=False, instruction="PINSTRUCT"),
    ),
    moods=("INT", "EVN", "RQO"),
    defaults={"status": "unknown"},
    templates=(("2.16.840.1.113883.10.20.1.24", f"{EHDSI}.3.4"), ()),
)


def _finish_request(resource: Json, node: Node, section: str) -> bool:
    if node.attributes.get("negationInd") == "true":
        node.lose("negationInd", "a medicine that must not be given")
        return False
    return True


_DISPENSE_REQUEST: tuple[AnyField, ...] = (
    Field("quantity", "quantity", Amount()),
    Ext("independentInd", f"{OWN}/independent", "valueBoolean", Flag()),
    Field("repeatNumber", "numberOfRepeatsAllowed", Number(0)),
)
REQUEST = Entry(
    kind="MedicationRequest",
    element="substanceAdministration",
    fields=(
        *_COMMON,
        Field("statusCode", "status", Coded(_MEDICATION_STATUS)),
        _dosage("dosageInstruction", bounds=True, instruction="PINSTRUCT"),
        Group("entryRelationship[SUBJ]/act(FINSTRUCT)", "note", (Field("text", "text", Words()),)),
        Group("entryRelationship[COMP]/supply", "dispenseRequest", _DISPENSE_REQUEST, many=False),
        Group(
            "entryRelationship[SUBJ]/observation(SUBST)",
            "substitution",
            (Field("value:CE|CD|_", "allowedCodeableConcept", Concept()),),
            many=False,
        ),
        Roles("author/assignedAuthor", "requester", many=False),
        Field("author/time", "authoredOn", Moment()),
    ),
    moods=("INT", "RQO"),
    defaults={"status": "unknown", "intent": "order"},
    templates=((f"{EHDSI}.3.2",), ()),
    finish=_finish_request,
)


def _read_prescription(node: Node, out: Json, place: str, context: ReadContext) -> None:
    path = parse("entryRelationship[REFR]/substanceAdministration")
    for found, way in find(node, path):
        for resource in REQUEST.read(found, "", context):
            for step, at in way:
                step.mark(at, f"{place}.authorizingPrescription")
            out.setdefault("authorizingPrescription", []).append({"reference": context.add(resource)})


def _write_prescription(source: Json, element: Any, context: WriteContext) -> None:
    for holder in source.get("authorizingPrescription", ()):
        made, _ = context.writer.create(element, parse("entryRelationship[REFR]"))
        request = context.resolve(holder, made)
        if (
            request is None
            or request["resourceType"] != "MedicationRequest"
            or not REQUEST.write(request, made, context)
        ):
            element.remove(made)


def _read_substitution(node: Node, out: Json, place: str, context: ReadContext) -> None:
    Group("entryRelationship[COMP]/act", "substitution", (Field("code", "type", Concept()),), many=False).read(
        node, out, place, context
    )
    if "substitution" in out:
        out["substitution"]["wasSubstituted"] = True


def _write_substitution(source: Json, element: Any, context: WriteContext) -> None:
    found = source.get("substitution")
    if isinstance(found, dict) and found.get("wasSubstituted") is True and "type" in found:
        made, _ = context.writer.create(element, parse("entryRelationship[COMP]/act/code"))
        context.take(found, "wasSubstituted", made.getparent(), "", Fate.MERGED)
        Concept().write(found, "type", made, context)


def _finish_dispense(resource: Json, node: Node, section: str) -> bool:
    if not any(key.startswith("medication") for key in resource):
        resource["medicationCodeableConcept"] = {"extension": [UNKNOWN]}
    return True


DISPENSE = Entry(
    kind="MedicationDispense",
    element="supply",
    fields=(
        Field("id", "identifier", Ident(), many=True),
        *TEXT,
        Field(
            "statusCode",
            "status",
            Coded(
                {
                    "completed": "completed",
                    "active": "in-progress",
                    "aborted": "stopped",
                    "nullified": "entered-in-error",
                }
            ),
        ),
        Field("quantity", "quantity", Amount()),
        Product("product/manufacturedProduct"),
        Group("performer", "performer", (Roles("assignedEntity", "actor", many=False),), fresh=0),
        Field("performer/time", "whenHandedOver", Moment()),
        Custom(_read_prescription, _write_prescription),
        Custom(_read_substitution, _write_substitution),
    ),
    defaults={"status": "unknown"},
    templates=((f"{EHDSI}.3.3",), ()),
    finish=_finish_dispense,
)
