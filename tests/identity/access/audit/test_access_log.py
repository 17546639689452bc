"""The access log in plain words: lines, filters, paging."""

from datetime import UTC, datetime
from decimal import Decimal

import msgspec
import orjson
import pytest

from esante.core.fhir import check
from esante.core.journal import Actor, Entry
from esante.core.storage import uuid7
from esante.core.web import translator
from esante.identity.access import (
    AccessEvent,
    EmergencyDeclared,
)
from esante.identity.access.audit.access_log import KINDS, describe_entry, describe_visit, log_types, matches_words
from esante.identity.access.audit.audit_event import audit_event
from esante.identity.access.audit.log_scan import Visit
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
        "Decimal": Decimal("1.00"),
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
        assert describe_entry(found, translator("en").gettext, {}, {}).text.endswith(".")


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
    assert all(type_.CHOICE for type_ in log_types("sharing") if issubclass(type_, AccessEvent))
    assert all(log_types(kind) for kind in KINDS)


def test_act_of_the_person_is_said_to_them_and_not_of_them():
    own = Actor(kind="patient", id=PERSON, name="Anna")
    line = describe_entry(entry_of(RecordCreated(categories=("letter",), purpose="PATRQT"), own), str, {}, {})
    assert line.text == "You added to your record: letter."
    assert (line.who, line.purpose) == ("", "")
    refused = describe_entry(entry_of(RecordRead(allowed=False), own), str, {}, {})
    assert refused.text.startswith("You tried") and refused.refused


def test_visit_is_one_line_with_its_entries_as_parts():
    entries = [
        entry_of(RecordRead(categories=(key,), documents=(DOCUMENT,))) for key in ("letter", "report", "letter")
    ]
    line = describe_visit(Visit(entries[::-1]), str, {}, {})
    assert line.text == "Dr Weber viewed your record: letter, report."
    assert len(line.parts) == 3 and line.documents == (DOCUMENT,)
    assert (line.since, line.at) == (entries[0].at, entries[2].at)
    own = [entry_of(RecordRead(categories=("letter",)), Actor(kind="patient", id=PERSON, name="Anna")) for _ in "ab"]
    assert describe_visit(Visit(own), str, {}, {}).text == "You viewed your record: letter."
