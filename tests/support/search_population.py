"""Resources of two persons for searches: hand-made with edge cases, and real ones where they are available."""

import gzip
import json
import random
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import orjson

from esante.core.fhir import decode, encode
from esante.core.fhir.search import index_json
from esante.core.fhir.store import RESOURCE
from esante.core.types import Json
from tests.support.search_oracle import Stored
from tests.support.search_tables import PARAMETERS, UCUM

PERSON, OTHER = uuid.UUID(int=0xA11CE), uuid.UUID(int=0xB0B)
NOW = datetime(2026, 2, 1, tzinfo=UTC)
SOURCES = [uuid.UUID(int=100 + n) for n in range(5)]
BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
END_OF_TIME = datetime.max.replace(tzinfo=UTC)
LOINC, SNOMED = "http://loinc.org", "http://snomed.info/sct"


def concept(*codings: tuple[str | None, str | None, str | None], text: str | None = None) -> Json:
    names = ("system", "code", "display")
    listed = [{n: v for n, v in zip(names, coding, strict=True) if v is not None} for coding in codings]
    return {**({"coding": listed} if listed else {}), **({"text": text} if text else {})}


def amount(value: str, code: str | None = None, system: str | None = UCUM, **more: Any) -> Json:
    unit = {"code": code, "unit": code, "system": system} if code else {}
    return {"value": Decimal(value), **{k: v for k, v in unit.items() if v}, **more}


def observation(name: str, **elements: Any) -> Json:
    code = concept((LOINC, name, f"Display of {name}"), text=f"Text {name}")
    return {
        "resourceType": "Observation",
        "status": "final",
        "code": code,
        "subject": {"reference": "Patient"},
        **elements,
    }


def handmade() -> list[Json]:
    dates = ["2020", "2020-02", "2020-02-29", "2020-02-29T23:30:00Z", "2020-03-01T00:30:00+01:00", "2019-12-31T23:59:59.999Z",
             "2020-01-01T00:00:00+14:00", "9999-12-31", "0001-01-01", "2020-02-29T12:00:00.123456Z"]  # fmt: skip
    values = ["1", "1.0", "0.5", "-3", "100", "99.5", "1e2", "0", "1000000000000000000", "5.35", "5.45", "0.001"]
    units = ["g", "mg", "kg", "mmol/L", "mg/dL", "g/L", "cm", "m", "Cel", "ea", "%", "min", "h", "mm[Hg]"]
    found = [observation(f"d{n}", effectiveDateTime=d) for n, d in enumerate(dates)]
    found += [observation(f"i{n}", effectiveInstant=d) for n, d in enumerate(dates) if "T" in d]
    found += [
        observation("p", effectivePeriod=period)
        for period in (
            {"start": "2020-01-15"},
            {"end": "2020-02-10"},
            {"start": "2020-01", "end": "2020-03"},
            {"id": "x"},
        )
    ]
    found.append(observation("t", effectiveTiming={"event": ["2020-02-01", "2020-04-01T10:00:00Z"]}))
    found.append(
        observation("t", effectiveTiming={"repeat": {"boundsPeriod": {"start": "2021"}}, "code": {"text": "BID"}})
    )
    found += [observation("v", valueQuantity=amount(v, units[n % len(units)])) for n, v in enumerate(values)]
    found += [
        observation("w", valueQuantity=amount(v, u))
        for v, u in (("1", "g"), ("1000", "mg"), ("0.001", "kg"), ("1.00", "g"))
    ]
    found += [observation("c", valueQuantity=amount("5", "mg", comparator=c)) for c in ("<", "<=", ">", ">=")]
    found.append(observation("n", valueQuantity=amount("7")))
    found.append(observation("n", valueQuantity=amount("7", "piece", "http://units.example")))
    found.append(observation("n", valueQuantity={"unit": "mg"}))
    sampled = {
        "origin": amount("2", "mm"),
        "period": 10,
        "dimensions": 1,
        "factor": Decimal("0.5"),
        "lowerLimit": -10,
        "upperLimit": 10,
    }
    found.append(observation("s", valueSampledData={**sampled, "data": "1 2 E 4 U"}))
    found.append(observation("s", valueSampledData=sampled))
    texts = [
        "Müller-Lüdenscheidt",
        "MULLER",
        "O'Brien",
        "  many   blanks ",
        "100%_\\",
        "a,b|c$d",
        "ŒUVRE",
        "ﬁne",
        "İstanbul",
    ]
    found += [observation("x", valueString=text) for text in texts]
    found += [
        observation("y", valueCodeableConcept=concept((SNOMED, "260385009", "Negative"), text=text))
        for text in texts[:3]
    ]
    found.append(observation("z", valueCodeableConcept=concept((None, "POS", None), ("urn:x|y", "a,b|c$d\\", None))))
    found.append(observation("z", valueCodeableConcept=concept(("http://only.system", None, None), text="No code")))
    found.append(observation("e", valueDateTime="2020-05-05", dataAbsentReason=concept(text="unknown")))
    found.append(observation("e", valuePeriod={"start": "2020-05-01", "end": "2020-05-10"}))
    found[0]["identifier"] = [
        {"system": "urn:ids", "value": "A-1", "type": concept(("http://types", "MR", None), text="Medical record")},
        {"value": "B,2"},
        {"system": "urn:ids"},
    ]
    found[1]["meta"] = {
        "tag": [{"system": "urn:tags", "code": "T1"}, {"code": "T2", "display": "Second tag"}],
        "security": [{"system": "http://terminology.hl7.org/CodeSystem/v3-Confidentiality", "code": "R"}],
        "profile": ["http://example.org/fhir/profiles/a", "http://example.org/fhir/profiles/b|1.0"],
        "source": "http://example.org/fhir/",
    }
    found[2]["meta"] = {"profile": ["http://example.org/fhir/profiles"], "source": "urn:oid:1.2.3"}
    found[3]["code"] = concept((LOINC, "8480-6", "Systolic"), ("urn:local", "8480-6", None))
    found[4]["category"] = [concept((LOINC, "LAB", None)), concept(text="Only a text")]
    found[5]["performer"] = [{"reference": "Practitioner/outside-1"}, {"reference": "https://elsewhere.example/fhir/Practitioner/7"},
                             {"display": "Somebody"}, {"reference": "#inside"}]  # fmt: skip
    found[6]["performer"] = [
        {"identifier": {"system": "urn:ids", "value": "P-1"}},
        {"reference": "Practitioner/outside-2/_history/3"},
    ]
    found[7]["subject"] = {"reference": "Group/g1"}
    found[8]["subject"] = {"display": "nobody"}
    component = [
        {"code": concept((LOINC, c, None)), "valueQuantity": amount(v, "mm[Hg]")}
        for c, v in (("8480-6", "120"), ("8462-4", "80"))
    ]
    found.append(observation("bp", component=component))
    found.append(
        observation(
            "bp",
            component=[
                {**component[0], "valueQuantity": amount("80", "mm[Hg]")},
                {**component[1], "valueQuantity": amount("120", "mm[Hg]")},
            ],
        )
    )
    found.append({"resourceType": "Observation", "status": "entered-in-error", "code": concept(text="Text only")})
    found += others()
    return found


def others() -> list[Json]:
    risk = {"resourceType": "RiskAssessment", "status": "final", "subject": {"reference": "Patient"}}
    found: list[Json] = [
        {**risk, "prediction": [{"probabilityDecimal": Decimal("0.25")}, {"probabilityRange": {"low": {"value": Decimal("0.5")}, "high": {"value": Decimal("0.9")}}}]},
        {**risk, "prediction": [{"probabilityRange": {"low": {"value": Decimal("1.5")}}}, {"qualitativeRisk": concept(text="High")}]},
        {"resourceType": "Condition", "code": concept((SNOMED, "38341003", "Hypertension")), "onsetString": "Since Easter",
         "subject": {"reference": "Patient"}},
        {"resourceType": "Condition", "onsetAge": amount("52", "a"), "subject": {"reference": "Patient"}},
        {"resourceType": "Condition", "onsetRange": {"low": amount("10", "a"), "high": amount("20", "a")}, "subject": {"reference": "Patient"}},
        {"resourceType": "Procedure", "status": "completed", "subject": {"reference": "Patient"},
         "instantiatesUri": ["http://example.org/a/b/c", "http://example.org/a", "urn:oid:1.2"]},
        {"resourceType": "Practitioner", "active": True, "gender": "female", "identifier": [{"system": "urn:ids", "value": "P-1"}],
         "name": [{"family": "Weber", "given": ["Léa", "Marie"], "prefix": ["Dr"]}, {"text": "Lea Kirsch"}],
         "telecom": [{"system": "phone", "value": "+352 123"}, {"system": "email", "value": "Lea@Example.org"}],
         "address": [{"line": ["1, rue Neuve"], "city": "Esch-sur-Alzette", "postalCode": "4001", "country": "LU"}]},
        {"resourceType": "Practitioner", "name": [{"family": "Weberhofer"}], "active": False},
    ]  # fmt: skip
    return found


def synthea(folder: Path, number: int, limit: int) -> list[Json]:
    packed = (folder / "synthea" / f"{number:02}.json.gz").read_bytes()
    bundle = orjson.loads(gzip.decompress(packed))
    found = [{**entry["resource"], "id": entry["fullUrl"]} for entry in bundle["entry"]]
    return [each for each in found if each["resourceType"] in PARAMETERS][:limit]


def official(folder: Path) -> list[Json]:
    found = [json.loads(path.read_bytes(), parse_float=Decimal) for path in sorted(folder.glob("*.json"))]
    return [
        {**each, "id": f"{each['resourceType']}/{each['id']}"} for each in found
        if each.get("resourceType") in PARAMETERS and "id" in each
    ]  # fmt: skip


def linked(resources: list[Json], rng: random.Random) -> list[Json]:
    """Return hand-made resources that refer to each other at random."""
    for n, each in enumerate(resources):
        each["id"] = f"{each['resourceType']}/made-{n}"
    by_type: dict[str, list[str]] = {}
    for each in resources:
        by_type.setdefault(each["resourceType"], []).append(each["id"])
    encounters: list[Json] = [
        {
            "resourceType": "Encounter", "id": f"Encounter/made-{n}", "status": ["finished", "planned"][n % 2],
            "class": {"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": ["AMB", "IMP"][n % 2]},
            "subject": {"reference": "Patient"}, "period": {"start": f"2020-0{n + 1}"},
            "diagnosis": [{"condition": {"reference": rng.choice(by_type["Condition"])}}],
            **({"partOf": {"reference": f"Encounter/made-{n - 1}"}} if n else {}),
            "participant": [{"individual": {"reference": rng.choice([*by_type["Practitioner"], "Practitioner/outside-1"])}}],
        }
        for n in range(6)
    ]  # fmt: skip
    for each in resources:
        if each["resourceType"] in ("Observation", "Condition", "Procedure") and rng.random() < 0.6:
            each["encounter"] = {"reference": rng.choice(encounters)["id"]}
        if each["resourceType"] == "Observation" and rng.random() < 0.3:
            each["hasMember"] = [{"reference": rng.choice(by_type["Observation"])}]
        if each["resourceType"] == "Procedure":
            each["reasonReference"] = [
                {"reference": rng.choice(by_type["Condition"])},
                {"reference": rng.choice(by_type["Observation"])},
            ]
    return [*resources, *encounters]


def with_local_ids(resources: list[Json], person: uuid.UUID) -> Iterator[tuple[uuid.UUID, Json]]:
    """Yield the keys of the resources, and the resources with ids and references of this server."""
    keys = {each["id"]: uuid.uuid5(person, each["id"]) for each in resources}
    types = {each["id"]: each["resourceType"] for each in resources}

    def localize(value: Any) -> Any:
        if isinstance(value, list):
            return [localize(each) for each in value]
        if not isinstance(value, dict):
            return value
        found = {name: localize(each) for name, each in value.items()}
        text = found.get("reference")
        if text in keys:
            found["reference"] = f"{types[text]}/{person.hex}{keys[text].hex}"
        elif text == "Patient":
            found["reference"] = f"Patient/{person.hex}"
        return found

    for each in resources:
        yield keys[each["id"]], {**localize(each), "id": f"{person.hex}{keys[each['id']].hex}"}


def population(shared: Path | None, *, synthea_limit: int, examples: Path | None = None) -> list[Stored]:
    """Return every version of the resources of both persons: some changed, some deleted, some from several sources."""
    rng = random.Random(7)
    stored: list[Stored] = []
    for person in (PERSON, OTHER):
        resources = linked(handmade(), rng)
        if shared is not None and synthea_limit:
            resources += synthea(shared, 1 if person == PERSON else 2, synthea_limit)
        resources += official(examples) if examples else []
        for key, resource in with_local_ids(resources, person):
            stored += versions(person, key, resource, rng)
    return stored


def versions(person: uuid.UUID, key: uuid.UUID, resource: Json, rng: random.Random) -> Iterator[Stored]:
    type_, source = resource["resourceType"], rng.choice(SOURCES)
    start = BEGIN + timedelta(minutes=rng.randrange(1000))
    chance = rng.random()
    if chance < 0.1:  # an earlier version
        yield Stored(person, type_, key, source, 1, start - timedelta(days=10), start, False, altered(resource))
        yield Stored(person, type_, key, source, 2, start, END_OF_TIME, False, resource)
    elif chance < 0.15:  # deleted
        yield Stored(person, type_, key, source, 1, start - timedelta(days=10), start, False, resource)
        yield Stored(person, type_, key, source, 2, start, END_OF_TIME, True, resource)
    elif chance < 0.35:  # the same fact from several sources, with differences
        for n, each in enumerate(rng.sample(SOURCES, rng.choice([2, 3]))):
            same = resource if n == 0 else altered(resource)
            since = start if rng.random() < 0.3 else start + timedelta(minutes=rng.randrange(-100, 100))
            yield Stored(person, type_, key, each, 1, since, END_OF_TIME, False, same)
    else:
        yield Stored(person, type_, key, source, 1, start, END_OF_TIME, False, resource)


def altered(resource: Json) -> Json:
    """Return the same resource with other values."""
    changed = {**resource, "status": "amended", "subject": {"display": "changed"}}
    changed.pop("encounter", None)
    if "code" in changed:
        changed["code"] = concept((LOINC, "changed", "Changed"))
    return changed


def rows(stored: list[Stored]) -> list[tuple[Any, tuple[Any, ...]]]:
    """Return the rows of versions, for `insert`."""
    found = []
    for s in stored:
        body = encode(s.resource)
        values = (
            s.person,
            s.type,
            s.id,
            s.source,
            s.version,
            s.since,
            s.until,
            s.deleted,
            body,
            index_json(decode(body)),
        )
        found.append((RESOURCE, values))
    return found
