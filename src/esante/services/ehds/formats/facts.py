"""Resources of a record as the rules of documents see them: dates, codes, states, and what makes two of them one."""

import hashlib
from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import Any
from uuid import UUID

import msgspec
import orjson

from esante.core.fhir import decode
from esante.core.fhir.search import ResourceRow
from esante.core.types import Json

ABSENT_SYSTEM = "http://hl7.org/fhir/uv/ips/CodeSystem/absent-unknown-uv-ips"
SNOMED = "http://snomed.info/sct"
_ABSENT_CODES = frozenset(
    ["716186003", "409137002", "428607008", "429625007", "160245001", "787481004", "787483001", "787482006"]
)
"""Codes of SNOMED CT by which a resource says that nothing of its kind is known."""
_NO_INFORMATION = frozenset(
    f"no-{what}-info" for what in ("allergy", "medication", "problem", "procedure", "device", "immunization")
)
_CURRENT: Mapping[str, frozenset[str]] = {
    "Condition": frozenset(["", "active", "recurrence", "relapse"]),
    "AllergyIntolerance": frozenset(["", "active"]),
    "MedicationStatement": frozenset(["active", "intended", "on-hold", "unknown"]),
    "MedicationRequest": frozenset(["active", "on-hold", "unknown"]),
    "DeviceUseStatement": frozenset(["active", "intended", "on-hold"]),
    "CarePlan": frozenset(["active", "on-hold", "draft"]),
    "Flag": frozenset(["active"]),
    "Consent": frozenset(["active", "proposed"]),
}
"""The states in which a resource of a type is part of the present."""
_VOID = frozenset(["entered-in-error", "cancelled", "not-done", "refuted", "rejected"])
_DATES = (
    "effectiveDateTime", "effectiveInstant", "effectivePeriod", "onsetDateTime", "onsetPeriod", "performedDateTime",
    "performedPeriod", "occurrenceDateTime", "whenHandedOver", "timingDateTime", "timingPeriod", "period", "started",
    "authoredOn", "dateTime", "date", "recordedDate", "recordedOn", "dateAsserted", "created", "issued",
)  # fmt: skip
_CODES = ("code", "vaccineCode", "medicationCodeableConcept")
_ADMINISTRATIVE = frozenset([
    "id", "meta", "text", "identifier", "subject", "patient", "encounter", "recorder", "asserter", "performer",
    "author", "requester", "informationSource", "context", "recordedDate", "dateAsserted", "issued", "contained",
])  # fmt: skip
"""Elements about who recorded a fact and where, not about the fact."""


_WANTED = (
    *dict.fromkeys(("id", "status", "clinicalStatus", "verificationStatus", "category", "class", "abatementDateTime")),
    *(name for name in (*_CODES, *_DATES)),
)
_ABSENT = msgspec.Raw(b"null")
_Excerpt = msgspec.defstruct("_Excerpt", [(name, msgspec.Raw, _ABSENT) for name in _WANTED], gc=False)
"""The elements that decide where a fact stands, not parsed yet: most facts of a long record are in no section."""
_excerpts = msgspec.json.Decoder(_Excerpt)


class Fact:
    """A resource of a record from one of its sources; `id` is the part of its logical id after the person's key."""

    def __init__(self, type_: str, id_: UUID, source: UUID, body: bytes) -> None:
        self.type, self.id, self.source, self._body = type_, id_, source, body
        self._excerpt = _excerpts.decode(body)

    @classmethod
    def of(cls, row: ResourceRow) -> "Fact":
        """Return the fact of a stored row."""
        return cls(row.type, row.id, row.source, row.body)

    @cached_property
    def resource(self) -> Json:
        """The resource, decimals with the digits that they had."""
        resource: Json = decode(self._body)
        return resource

    def _get(self, name: str) -> Any:
        """Return the value of an element of the excerpt, None where it is absent."""
        raw: msgspec.Raw = getattr(self._excerpt, name)
        return None if raw is _ABSENT else msgspec.json.decode(raw)

    def _text(self, name: str) -> str:
        """Return an element that is a primitive as text, "" where it is absent."""
        value = self._get(name)
        return value if isinstance(value, str) else ""

    @cached_property
    def address(self) -> str:
        """The relative URL: type and logical id."""
        return f"{self.type}/{self._text('id')}"

    @cached_property
    def date(self) -> str:
        """The FHIR date of what it is about, "" where it gives none; a period counts by its beginning."""
        for name in _DATES:
            value = self._get(name)
            if isinstance(value, dict):
                value = value.get("start") or value.get("end")
            if isinstance(value, str):
                return value
        return ""

    @cached_property
    def codings(self) -> tuple[tuple[str, str], ...]:
        """What it is about: system and code of each coding."""
        concepts = (self._get(name) for name in _CODES)
        return tuple(pair for concept in concepts for pair in codings_of(concept))

    @cached_property
    def code_key(self) -> tuple[tuple[str, str], ...] | str:
        """What it is about, for comparison: its codings, else its text, else its key."""
        concept: Any = next((found for name in _CODES if (found := self._get(name))), None)
        text = concept.get("text") if isinstance(concept, dict) else None
        return tuple(sorted(self.codings)) or str(text or self.id)

    @cached_property
    def category_codes(self) -> frozenset[str]:
        """The codes of its category and, of an encounter, of its class."""
        found = {code for one in listed(self._get("category")) for _, code in codings_of(one)}
        class_ = self._get("class")
        return frozenset(found | ({str(class_.get("code"))} if isinstance(class_, dict) else set()))

    @property
    def status(self) -> str:
        """Its clinical status, else its status; "" without one."""
        clinical = [code for _, code in codings_of(self._get("clinicalStatus"))]
        if clinical:
            return clinical[0]
        return self._text("status") if self.type not in ("Condition", "AllergyIntolerance") else ""

    @property
    def is_void(self) -> bool:
        """Whether it was made in error, refuted or did not happen, so that no document tells it as a fact."""
        if self._text("status") in _VOID:
            return True
        return any(code in _VOID for _, code in codings_of(self._get("verificationStatus")))

    def is_current(self, today: str) -> bool:
        """Return whether it is part of the present; `today`: a FHIR date."""
        if self.status not in _CURRENT.get(self.type, frozenset([self.status])):
            return False
        ends = (
            self._get("abatementDateTime"),
            *map(_end, map(self._get, ("effectivePeriod", "period"))),
        )
        return not any(isinstance(end, str) and end[:10] < today[: len(end[:10])] for end in ends)

    @property
    def says_none(self) -> bool:
        """Whether it says in coded form that nothing of its kind is known to exist."""
        return any(
            (system == ABSENT_SYSTEM and code.startswith("no-known")) or (system == SNOMED and code in _ABSENT_CODES)
            for system, code in self.codings
        )

    @property
    def says_unknown(self) -> bool:
        """Whether it says in coded form that there is no information."""
        return any(system == ABSENT_SYSTEM and code in _NO_INFORMATION for system, code in self.codings)

    @cached_property
    def said(self) -> bytes:
        """A digest of what it says, whoever said it: two facts with the same are one line."""
        content = {name: value for name, value in self.resource.items() if name not in _ADMINISTRATIVE}
        return hashlib.blake2b(
            orjson.dumps(content, option=orjson.OPT_SORT_KEYS, default=str), digest_size=16
        ).digest()

    def references(self) -> Iterator[str]:
        """Yield the addresses that it refers to, each once."""
        yield from dict.fromkeys(_addresses(self.resource))


def listed(value: Any) -> list[Any]:
    """Return the values of an element, whether it repeats or not."""
    return value if isinstance(value, list) else [] if value is None else [value]


def codings_of(concept: Any) -> list[tuple[str, str]]:
    """Return system and code of each coding of a CodeableConcept."""
    if not isinstance(concept, dict):
        return []
    return [
        (str(one.get("system", "")), str(one["code"]))
        for one in listed(concept.get("coding"))
        if isinstance(one, dict) and one.get("code")
    ]


def _end(period: Any) -> Any:
    return period.get("end") if isinstance(period, dict) else None


def _addresses(value: Any) -> Iterator[str]:
    if isinstance(value, list):
        for item in value:
            yield from _addresses(item)
    elif isinstance(value, dict):
        address = value.get("reference")
        if isinstance(address, str):
            yield address
        for item in value.values():
            if isinstance(item, (dict, list)):
                yield from _addresses(item)
