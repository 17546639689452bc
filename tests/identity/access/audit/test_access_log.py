"""The access log in plain words: lines, filters, paging."""

from datetime import UTC, datetime

import msgspec
import orjson
import pytest

from esante.core.fhir import check
from esante.core.journal import Actor, Entry
from esante.core.storage import uuid7
from esante.identity.access import (
    AccessEvent,
    EmergencyDeclared,
)
from esante.identity.access.audit.access_log import KINDS, describe_entry, log_types, matches_words, scan_entries
from esante.identity.access.audit.audit_event import audit_event
from tests.identity.access.conftest import BASE
from tests.support.access_events import (
    DOCTOR,
    DOCUMENT,
    PERSON,
    RecordCreated,
    RecordRead,
    entry_of,
)


@pytest.mark.parametrize("type_", log_types())
def test_every_logged_event_has_words_and_is_valid_fhir(type_):
    samples = {
        "str": "x",
        "UUID": uuid7(),
        "datetime": datetime.now(UTC),
        "date": datetime.now(UTC).date(),
        "bool": True,
        "float": 1.0,
        "int": 1,
        "tuple": (),
    }
    missing = {field.name: field for field in msgspec.structs.fields(type_) if field.required}
    event = type_(**{name: samples[field.type.__name__] for name, field in missing.items()})
    if "kind" in missing:
        event = msgspec.structs.replace(event, kind="circle")
    for who in (DOCTOR, Actor(kind="system", name="esante"), Actor(kind="patient", id=PERSON, name="Anna")):
        found = entry_of(event, who, origin="")
        assert check(orjson.dumps(audit_event(found, BASE))).issues == ()
        assert describe_entry(found, str, {}, {}).text.endswith(".")


def test_line_is_translated_and_matches_its_words():
    event = RecordCreated(
        categories=("letter",), documents=(DOCUMENT,), grant_kind="circle", reason="circle", rule="grant.circle"
    )
    in_french = {"%(actor)s put in: %(categories)s.": "%(actor)s a déposé : %(categories)s.", "Letter": "Lettre"}
    shown = describe_entry(
        entry_of(event), lambda text: in_french.get(text, text), {"letter": "Letter"}, {"doctor": "Doctor"}
    )
    assert shown.text == "Dr Weber a déposé : Lettre."
    assert (shown.role, shown.organization, shown.grant) == ("Doctor", "Hôpital", "Circle of care")
    assert matches_words(shown, ["weber", "lettre"])
    assert not matches_words(shown, ["klein"])


def test_expired_entry_has_retention_text():
    gone = Entry(uuid7(), PERSON, datetime.now(UTC), "test.seen", Actor(kind="expired"), "", None, 1)
    assert "retention" in describe_entry(gone, str, {}, {}).text


def test_filter_selects_its_event_types():
    assert EmergencyDeclared in log_types("emergency")
    assert EmergencyDeclared not in log_types("looked")
    assert RecordCreated in log_types("documents") and RecordCreated not in log_types("looked")
    assert RecordRead in log_types("looked") and RecordRead not in log_types("documents")
    assert not [type_ for type_ in log_types("sharing") if issubclass(type_, AccessEvent)]
    assert all(log_types(kind) for kind in KINDS)


async def test_scan_pages_lose_and_repeat_nothing(journal):
    person = uuid7()
    for number in range(450):
        event = RecordRead(rule="odd" if number % 2 else "even")
        await journal.append(event, person_id=person, actor=DOCTOR)
    seen, before, pages = [], None, 0
    while True:
        page = await scan_entries(
            journal, person, [RecordRead], lambda e: e.event.rule == "odd", before=before, limit=40
        )
        seen += [found.id for found in page.items]
        pages += 1
        if page.next is None:
            break
        before = type(person)(page.next)
    assert len(seen) == len(set(seen)) == 225
    assert seen == sorted(seen, reverse=True)
    assert pages == 6
