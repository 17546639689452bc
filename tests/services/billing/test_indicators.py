"""The indicators of fee notes count by way and by the groups of the rules that there are."""

import tomllib

import duckdb

from esante.core.dated_data import packaged_text
from esante.services.billing.adjudication.model import Effect
from esante.services.billing.adjudication.rule_set import current_rules
from esante.services.billing.note.model import Channel

INDICATORS = {
    one["id"]: one for one in tomllib.loads(packaged_text("esante.services.billing", "indicators.toml"))["indicator"]
}


def count(indicator: str, *rows: tuple) -> list[tuple]:
    """What an indicator counts of events: type, allowed, kind, reason, amount."""
    with duckdb.connect() as db:
        db.execute(
            "CREATE TABLE events (seq BIGINT, type TEXT, allowed BOOLEAN, kind TEXT, reason TEXT, amount BIGINT,"
            " actor TEXT, organization TEXT)"
        )
        db.executemany(
            "INSERT INTO events VALUES (?, ?, ?, ?, ?, ?, 'a', NULL)",
            [(number, *row) for number, row in enumerate(rows)],
        )
        return sorted(db.execute(INDICATORS[indicator]["sql"]).fetchall())


def kept(way: str) -> tuple:
    return "billing.note_kept", True, way, None, None


def simulated(reason: str | None, *, allowed: bool = True) -> tuple:
    return "billing.simulated", allowed, None, reason, None


def test_notes_are_counted_by_way():
    rows = [kept(way) for way in Channel], simulated("act.unknown")
    events = [*rows[0], rows[1]]
    assert [way for _, way, _ in count("fee_notes", *events)] == [way.value for way in Channel]
    (only,) = count("fee_notes_immediate", *events)
    assert list(Channel)[only[0]] is Channel.PID


def test_refusal_is_counted_in_the_group_of_its_rule():
    keys = [rule.key for rule in current_rules().rules if rule.effect in (Effect.REFUSED, Effect.REDUCED)]
    found = count("fee_note_refusals", *(simulated(key) for key in keys))
    groups = {keys[unit]: group for unit, group, _ in found}
    assert set(groups) == set(keys)
    assert groups["act.frequency"] == "rule-act"
    assert groups["cumulation.half"] == "rule-cumulation"
    assert {key for key, group in groups.items() if group == "other"} <= {
        key for key in keys if key.startswith(("note.", "accident."))
    }


def test_simulation_without_refusal_and_refused_one_do_not_count():
    rows = [simulated(None), simulated("act.unknown", allowed=False), simulated("several")]
    assert [(unit, group) for unit, group, _ in count("fee_note_refusals", *rows)] == [(2, "several")]


def test_time_of_payment_is_of_payments_that_say_it():
    paid = [("billing.paid", True, None, None, seconds) for seconds in (None, 0, 7)]
    assert count("fee_note_payment_time", *paid) == [(1, 0), (2, 7)]
