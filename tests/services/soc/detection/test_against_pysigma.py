"""Rules and events of SigmaHQ, matched here and by the SQLite backend of pySigma.

The backend is no oracle: where the two differ, `DIFFERENCES` says why. It knows no log sources, so each rule is given
only the events that its log source admits.
"""

import re
import sqlite3

import pytest
from sigma.backends.sqlite import sqliteBackend
from sigma.collection import SigmaCollection
from sigma.exceptions import SigmaError

from esante.services.soc import Detector, RuleSet, load_rules
from esante.services.soc.detection.event_fields import fields_of, origin_of
from esante.services.soc.detection.log_sources import admits
from esante.services.soc.rules.model import FieldTest, Not
from esante.services.soc.scalars import scalar_texts
from tests.support.windows_events import regression_events, zipped_events

NOT_CONVERTED = {"azure_granting_permission_detection", "web_apache_threading_error"}
"""Keywords, which the backend refuses."""
DIFFERENCES: dict[str, tuple[int, int]] = {}
"""By rule, how many events only this program finds, and only the backend."""


@pytest.fixture(scope="module")
def rules(shared_data):
    loaded = load_rules(shared_data / "sigma" / "rules")
    assert loaded.faults == []
    return loaded.rules


@pytest.fixture(scope="module")
def events(shared_data):
    found = [event for _, _, events in regression_events(shared_data) for event in events]
    return found + list(zipped_events(shared_data))[::4]


def fields_in(node):
    """The fields that a rule looks at."""
    match node:
        case FieldTest(name, _):
            return {name} - {""}
        case Not(inner):
            return fields_in(inner)
    return {name for one in node.nodes for name in fields_in(one)}


def table(events, fields):
    """A database with the events as rows of texts, in columns without regard to case."""
    logs = sqlite3.connect(":memory:")
    logs.create_function("REGEXP", 2, lambda pattern, text: text is not None and re.search(pattern, text) is not None)
    names = sorted({name.lower(): name for name in sorted(fields)}.values())
    columns = ", ".join(f'"{name}" TEXT COLLATE NOCASE' for name in names)
    logs.execute(f"CREATE TABLE logs (number INTEGER PRIMARY KEY, {columns})")
    for number, event in enumerate(events):
        flat = fields_of(event)
        row = [" ".join(texts) if (texts := scalar_texts(flat.get(name))) else None for name in names]
        logs.execute(f"INSERT INTO logs VALUES (?, {', '.join('?' * len(names))})", [number, *row])
    return logs


def test_differences_to_the_sqlite_backend_are_those_that_are_named(rules, events):
    backend, queries, failed = sqliteBackend(), {}, set()
    for rule in rules:
        try:
            collection = SigmaCollection.from_yaml(rule.path.read_text("utf-8"))
            (queries[rule.path.stem],) = backend.convert(collection)
        except SigmaError:
            failed.add(rule.path.stem)
    logs = table(events, {name for rule in rules for name in fields_in(rule.node)})
    differences, hits = {}, 0
    for rule in rules:
        if rule.path.stem in queries:
            admitted = {n for n, event in enumerate(events) if admits(rule.log_source, origin_of(fields_of(event)))}
            query = queries[rule.path.stem].replace("SELECT *", "SELECT number", 1)
            theirs = {number for (number,) in logs.execute(query)} & admitted
            detector = Detector(RuleSet([rule], [], []))
            ours = {number for number in admitted if detector.detect(events[number])}
            hits += len(ours & theirs)
            if ours != theirs:
                differences[rule.path.stem] = (len(ours - theirs), len(theirs - ours))
    assert differences == DIFFERENCES
    assert failed == NOT_CONVERTED
    assert hits > 100
