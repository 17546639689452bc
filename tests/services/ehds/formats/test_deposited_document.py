"""A deposited document of which the reader does not see everything: entries and narratives do not tell the rest."""

from datetime import UTC, datetime
from uuid import UUID, uuid4

import orjson

from esante.core.time_zone import today
from esante.core.types import Json
from esante.services.ehds.formats import find_kind
from esante.services.ehds.formats.bundle import Frame
from esante.services.ehds.formats.deposited_document import rebuild
from esante.services.ehds.formats.facts import Fact

PERSON, SOURCE = uuid4(), uuid4()


def _fact(type_: str, **fields: object) -> Fact:
    key = uuid4()
    resource = {"resourceType": type_, "id": PERSON.hex + key.hex, **fields}
    return Fact(type_, key, SOURCE, orjson.dumps(resource))


def _document(*problems: Fact) -> tuple[Fact, list[Fact]]:
    div = '<div xmlns="http://www.w3.org/1999/xhtml">Asthma, Secret</div>'
    section = {
        "title": "Problems",
        "text": {"status": "generated", "div": div},
        "entry": [{"reference": fact.address} for fact in problems],
    }
    subject = {"reference": f"Patient/{PERSON}"}
    return _fact("Composition", subject=subject, section=[section]), list(problems)


def _rebuild(composition: Fact, seen: list[Fact]) -> Json:
    kind = find_kind("patient-summary", today())
    assert kind is not None
    patient = {"resourceType": "Patient", "id": str(PERSON)}
    frame = Frame(kind, patient, "en", datetime.now(UTC), UUID(int=1), "http://x/fhir")
    return rebuild(frame, composition, {fact.address: fact for fact in [composition, *seen]})


def test_document_that_is_seen_whole_keeps_its_narrative():
    composition, problems = _document(_fact("Condition", code={"text": "Asthma"}))
    section = _rebuild(composition, problems)["entry"][0]["resource"]["section"][0]
    assert "Asthma, Secret" in section["text"]["div"]


def test_resource_that_is_not_seen_is_neither_listed_nor_in_the_narrative():
    asthma, secret = _fact("Condition", code={"text": "Asthma"}), _fact("Condition", code={"text": "Secret"})
    composition, _ = _document(asthma, secret)
    built = _rebuild(composition, [asthma])
    section = built["entry"][0]["resource"]["section"][0]
    assert [one["reference"] for one in section["entry"]] == [f"http://x/fhir/{asthma.address}"]
    assert "Asthma" in section["text"]["div"]
    assert "Secret" not in orjson.dumps(built).decode()
    assert secret.address not in orjson.dumps(built).decode()


def test_section_of_which_nothing_is_seen_says_so_and_not_what_it_held():
    composition, _ = _document(_fact("Condition", code={"text": "Secret"}))
    built = _rebuild(composition, [])
    assert "Secret" not in orjson.dumps(built).decode()
