"""Problems and allergies: in CDA a concern about an observation, in FHIR Condition and AllergyIntolerance.

The concern has dates and a state of its own (whether somebody still follows it), which FHIR has not: an extension.
"""

from typing import Any

from esante.core.types import Json
from esante.services.exchange.conversion.datatypes import (
    Coded,
    Concept,
    Ident,
    Interval,
    Link,
    Moment,
    ReadContext,
    StatusConcept,
    Words,
    WriteContext,
)
from esante.services.exchange.conversion.entries.entry import Entry
from esante.services.exchange.conversion.entries.named_concepts import NamedConcept
from esante.services.exchange.conversion.entries.observations import TEXT, UNKNOWN
from esante.services.exchange.conversion.fields import AnyField, Custom, Ext, Field, Group
from esante.services.exchange.conversion.ledger import DERIVABLE, Fate
from esante.services.exchange.conversion.nodes import Node
from esante.services.exchange.conversion.paths import parse
from esante.services.exchange.conversion.people import Roles
from esante.services.exchange.conversion.terms import (
    ABSENT_UNKNOWN,
    ALLERGY_CLINICAL,
    ALLERGY_TYPES,
    ALLERGY_VERIFICATION,
    CDA_CODE,
    CERTAINTY,
    CLINICAL,
    CONDITION_CLINICAL,
    CONDITION_VERIFICATION,
    CRITICALITY,
    EHDSI,
    NARRATIVE_LINK,
    OWN,
    SEVERITY,
    SNOMED,
)

_OBSERVATION_VALUE = "2.16.840.1.113883.5.1063"
_NO_KNOWN = {"716186003", "409137002", "429625007", "428607008", "716184000", "716220001", "160244002", "160245001"}
"""SNOMED CT concepts that say that there is nothing of a kind."""


class _Same:
    """A code as it is written."""

    def read(self, node: Node, target: str, context: ReadContext) -> Any:
        return node.take_code("code", target, Fate.MOVED)

    def write(self, container: Any, key: str | int, element: Any, context: WriteContext) -> bool:
        element.set("code", context.take(container, key, element, "code", Fate.MOVED))
        return True


_CONCERN: tuple[AnyField, ...] = (
    Ext("id", f"{OWN}/concern-identifier", "valueIdentifier", Ident(), many=True),
    Ext("code", f"{OWN}/concern-code", "valueCodeableConcept", Concept()),
    Ext("statusCode", f"{OWN}/concern-status", "valueCode", _Same()),
    Ext("effectiveTime", f"{OWN}/concern-period", "valuePeriod", Interval()),
    Ext("text/reference", f"{OWN}/concern-text", "valueUrl", Link()),
)


def _concern_status(resource: Json) -> str:
    for extension in resource.get("extension", ()):
        if extension.get("url") == f"{OWN}/concern-status":
            return str(extension.get("valueCode", ""))
    return ""


def _derived_status(resource: Json) -> str:
    """Return the clinical status that follows from the concern and the dates where none is stated."""
    if any(key in resource for key in ("abatementDateTime", "_abatementDateTime")):
        return "resolved"
    return {"completed": "inactive", "aborted": "inactive"}.get(_concern_status(resource), "active")


def _clinical(uri: str) -> Custom:
    """Return the field of the clinical status: of its observation, else of the concern."""
    field = Field(
        "entryRelationship[REFR|SUBJ]/observation(33999-4)/value:CD|CE|_",
        "clinicalStatus",
        StatusConcept(CLINICAL, uri, SNOMED),
        fresh=3,
    )

    def write(source: Json, element: Any, context: WriteContext) -> None:
        codings = source.get("clinicalStatus", {}).get("coding", ())
        if len(codings) == 1 and _concern_status(source) and codings[0].get("code") == _derived_status(source):
            context.ledger.mark_all(codings, Fate.DROPPED, "", DERIVABLE)
            return
        field.write(source, element, context)

    return Custom(field.read, write)


def _read_negation(uri: str) -> Custom:
    def read(node: Node, out: Json, place: str, context: ReadContext) -> None:
        if node.attributes.get("negationInd") == "true":
            node.take("negationInd", f"{place}.verificationStatus", Fate.MERGED)
            out["verificationStatus"] = {"coding": [{"system": uri, "code": "refuted"}]}

    return Custom(read)


def _verification(uri: str) -> Field:
    return Field(
        "entryRelationship[SUBJ|REFR]/observation(66455-7)/value:CD|CE|_",
        "verificationStatus",
        StatusConcept(CERTAINTY, uri, SNOMED),
        fresh=3,
    )


class _OnsetEnd:
    """The interval of an observation: onset and abatement; a single time is the onset."""

    def __init__(self, start: str, end: str) -> None:
        self._start, self._end, self._moment = start, end, Moment()

    def read(self, node: Node, out: Json, place: str, context: ReadContext) -> None:
        time = node.child("effectiveTime")
        if time is None:
            return
        low, high = time.child("low"), time.child("high")
        if low is not None or high is None:
            Field("", self._start, self._moment).read(low if low is not None else time, out, place, context)
        if high is not None and self._end:
            Field("", self._end, self._moment).read(high, out, place, context)

    def write(self, source: Json, element: Any, context: WriteContext) -> None:
        for key, name in ((self._start, "low"), (self._end, "high")):
            if key and (key in source or f"_{key}" in source):
                Field(f"effectiveTime/{name}", key, self._moment).write(source, element, context)


_SEVERITY = Field("entryRelationship[SUBJ]/observation(SEV)/value:CD", "severity", Concept(), fresh=3)


def _finish_condition(resource: Json, node: Node, section: str) -> bool:
    resource.setdefault("code", {"extension": [UNKNOWN]})
    if "clinicalStatus" not in resource:
        coding = {"system": CONDITION_CLINICAL, "code": _derived_status(resource)}
        resource["clinicalStatus"] = {"coding": [coding]}
    ended = {"inactive", "resolved", "remission"}
    codes = {coding.get("code") for coding in resource["clinicalStatus"].get("coding", ())}
    if not codes & ended:  # con-4: an end needs a status that says so
        for key in ("abatementDateTime", "_abatementDateTime"):
            value = resource.pop(key, None)
            if value is not None:
                name = "_valueDateTime" if key.startswith("_") else "valueDateTime"
                resource.setdefault("extension", []).append({"url": f"{OWN}/stated-end", name: value})
    return True


def _write_stated_end(source: Json, element: Any, context: WriteContext) -> None:
    Ext("effectiveTime/high", f"{OWN}/stated-end", "valueDateTime", Moment()).write(source, element, context)


CONDITION = Entry(
    kind="Condition",
    element="act",
    inner="entryRelationship[SUBJ]/observation",
    outer=_CONCERN,
    fields=(
        Field("id", "identifier", Ident(), many=True),
        Field("code", "category", Concept(), many=True),
        *TEXT,
        Field("value:CD|CE|CV|_", "code", Concept()),
        _OnsetEnd("onsetDateTime", "abatementDateTime"),
        Custom(None, _write_stated_end),
        _clinical(CONDITION_CLINICAL),
        _read_negation(CONDITION_VERIFICATION),
        _verification(CONDITION_VERIFICATION),
        _SEVERITY,
        Field("targetSiteCode", "bodySite", Concept(), many=True),
        Ext(
            "entryRelationship[REFR]/observation(11323-3)/value:CE|CD",
            f"{OWN}/resolution",
            "valueCodeableConcept",
            Concept(),
        ),
        Group("entryRelationship[SUBJ]/act(48767-8)", "note", (Field("text", "text", Words()),)),
        Roles("author/assignedAuthor", "asserter", many=False),
    ),
    templates=(
        ("2.16.840.1.113883.10.20.1.27", "1.3.6.1.4.1.19376.1.5.3.1.4.5.1", "1.3.6.1.4.1.19376.1.5.3.1.4.5.2"),
        ("2.16.840.1.113883.10.20.1.28", "1.3.6.1.4.1.19376.1.5.3.1.4.5", f"{EHDSI}.3.7"),
    ),
    finish=_finish_condition,
)


def _read_type(node: Node, out: Json, place: str, context: ReadContext) -> None:
    """Read the kind of an adverse reaction: the code itself in an extension, type and category of it."""
    Ext("code", f"{OWN}/adverse-event-type", "valueCodeableConcept", Concept()).read(node, out, place, context)
    code = node.child("code")
    kind, category = ALLERGY_TYPES.get((code.get("code") or "") if code is not None else "", (None, None))
    if kind:
        out["type"] = kind
    if category:
        out["category"] = [category]


def _write_type(source: Json, element: Any, context: WriteContext) -> None:
    Ext("code", f"{OWN}/adverse-event-type", "valueCodeableConcept", Concept()).write(source, element, context)
    code = element.find("{*}code")
    stated = code is not None
    kind, categories = source.get("type"), source.get("category", [])
    wanted = (kind, categories[0] if len(categories) == 1 else None)
    if code is None:
        found = next((key for key, value in ALLERGY_TYPES.items() if value == wanted), "420134006")
        code, _ = context.writer.create(element, parse("code"))
        code.set("code", found)
        code.set("codeSystem", SNOMED)
    implied = ALLERGY_TYPES.get(code.get("code", ""), (None, None))
    if kind and implied[0] == kind:
        _mark_type(source, "type", code, stated, context)
    for index, category in enumerate(categories):
        if implied[1] == category:
            _mark_type(categories, index, code, stated, context)


def _mark_type(container: Any, key: str | int, code: Any, stated: bool, context: WriteContext) -> None:
    """Mark a type or category: it made the code, or follows from a code that is stated."""
    if stated:
        context.ledger.mark(container, key, Fate.DROPPED, "", DERIVABLE)
    else:
        context.take(container, key, code, "code", Fate.MERGED)


_AGENT = NamedConcept(
    "participant[CSM]/participantRole/playingEntity/code",
    "participant[CSM]/participantRole/playingEntity/name",
    "code",
)
_VALUE = Field("value:CD|CE|_", "code", Concept())
_FINDING = Ext("value:CD|CE|_", f"{OWN}/finding", "valueCodeableConcept", Concept())


def _read_agent(node: Node, out: Json, place: str, context: ReadContext) -> None:
    _AGENT.read(node, out, place, context)
    (_FINDING if "code" in out else _VALUE).read(node, out, place, context)


def _write_agent(source: Json, element: Any, context: WriteContext) -> None:
    codings = source.get("code", {}).get("coding", ())
    absent = any(one.get("system") == ABSENT_UNKNOWN or one.get("code") in _NO_KNOWN for one in codings[:1])
    if absent:
        _VALUE.write(source, element, context)
        return
    _AGENT.write(source, element, context)
    _FINDING.write(source, element, context)


def _read_reaction_severity(node: Node, out: Json, place: str, context: ReadContext) -> None:
    url = f"{OWN}/severity"
    Ext("entryRelationship[SUBJ]/observation(SEV)/value:CD", url, "valueCodeableConcept", Concept()).read(
        node, out, place, context
    )
    for extension in out.get("extension", ()):
        if extension["url"] == url:
            codings = extension["valueCodeableConcept"].get("coding", ())
            severity = SEVERITY.get(codings[0].get("code", "")) if codings else None
            if severity:
                out["severity"] = severity


def _write_reaction_severity(source: Json, element: Any, context: WriteContext) -> None:
    url, severity = f"{OWN}/severity", source.get("severity")
    stated = [one for one in source.get("extension", ()) if one.get("url") == url]
    path = "entryRelationship[SUBJ]/observation(SEV)/value:CD"
    if stated:
        Ext(path, url, "valueCodeableConcept", Concept()).write(source, element, context)
        codings = stated[0].get("valueCodeableConcept", {}).get("coding", ())
        if severity and codings and SEVERITY.get(codings[0].get("code", "")) == severity:
            context.ledger.mark(source, "severity", Fate.DROPPED, "", DERIVABLE)
    elif severity:
        Field(path, "severity", Coded(SEVERITY, system=SNOMED)).write(source, element, context)


def _finish_allergy(resource: Json, node: Node, section: str) -> bool:
    resource.setdefault("code", {"extension": [UNKNOWN]})
    if "clinicalStatus" not in resource:
        coding = {"system": ALLERGY_CLINICAL, "code": _derived_status(resource)}
        resource["clinicalStatus"] = {"coding": [coding]}
    for reaction in resource.get("reaction", ()):
        reaction.setdefault("manifestation", [{"extension": [UNKNOWN]}])
    return True


_REACTION: tuple[AnyField, ...] = (
    Field("value:CD|CE|_", "manifestation", Concept(), many=True),
    Ext("code", CDA_CODE, "valueCodeableConcept", Concept()),
    Ext("id", f"{OWN}/identifier", "valueIdentifier", Ident(), many=True),
    Ext("text/reference", f"{NARRATIVE_LINK}", "valueUrl", Link()),
    _OnsetEnd("onset", ""),
    Custom(_read_reaction_severity, _write_reaction_severity),
    Group("entryRelationship[SUBJ]/act(48767-8)", "note", (Field("text", "text", Words()),)),
)
ALLERGY = Entry(
    kind="AllergyIntolerance",
    element="act",
    inner="entryRelationship[SUBJ]/observation",
    outer=_CONCERN,
    fields=(
        Field("id", "identifier", Ident(), many=True),
        Custom(_read_type, _write_type),
        *TEXT,
        Custom(_read_agent, _write_agent),
        _OnsetEnd("onsetDateTime", ""),
        _clinical(ALLERGY_CLINICAL),
        _read_negation(ALLERGY_VERIFICATION),
        _verification(ALLERGY_VERIFICATION),
        Field(
            "entryRelationship[SUBJ]/observation(82606-5)/value:CD|CE|_",
            "criticality",
            Coded(CRITICALITY, system=_OBSERVATION_VALUE),
            fresh=3,
        ),
        Ext(
            "entryRelationship[SUBJ]/observation(SEV)/value:CD|CE|_",
            f"{OWN}/severity",
            "valueCodeableConcept",
            Concept(),
        ),
        Group("entryRelationship[MFST]/observation", "reaction", _REACTION),
        Group("entryRelationship[SUBJ]/act(48767-8)", "note", (Field("text", "text", Words()),)),
        Roles("author/assignedAuthor", "asserter", many=False),
    ),
    subject="patient",
    templates=(
        ("2.16.840.1.113883.10.20.1.27", "1.3.6.1.4.1.19376.1.5.3.1.4.5.1", "1.3.6.1.4.1.19376.1.5.3.1.4.5.3"),
        ("2.16.840.1.113883.10.20.1.18", "1.3.6.1.4.1.19376.1.5.3.1.4.6", f"{EHDSI}.3.17"),
    ),
    finish=_finish_allergy,
)
