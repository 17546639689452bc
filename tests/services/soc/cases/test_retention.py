"""The end of cases and alerts: deleted with everything of them when their time is over, journalled, and no sooner."""

from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from esante.core.clock import use_clock
from esante.core.web import Problem
from esante.services.soc.cases import retention
from esante.services.soc.cases.case_files import folder_of_case
from esante.services.soc.cases.retention import CaseRetention
from esante.services.soc.retention_rules import RetentionRule, retention_rules, rule_on
from tests.support.soc_cases import incident_facts

DAYS = rule_on("cases", datetime.now(UTC).date()).days


async def closed(world, tenant, key, days):
    """Return a case with a file, an exported package and facts that was closed some days ago."""
    with use_clock(lambda: datetime.now(UTC) - timedelta(days=days)):
        case = await world.case(tenant.tenant_id, key)
        await world.evidence.add(world.anna, case.case_id, "a.txt", "text/plain", f"evidence {key}".encode())
        await world.handovers.make(world.anna, case.case_id, "circl", "en")
        await world.closing.propose(world.anna, case.case_id, "expected", "It was a planned test.")
        await world.closing.confirm(world.ben, case.case_id)
    return case


async def rows_of(world, case_id):
    """Return how many rows of every table of the SOC name a case."""
    tables = await world.db.fetch(
        "SELECT table_name FROM information_schema.columns WHERE column_name = 'case_id' AND table_name LIKE 'soc\\_%'"
    )
    counts = [
        await world.db.fetchval(f"SELECT count(*) FROM {row['table_name']} WHERE case_id = $1", case_id)
        for row in tables
    ]
    assert len(counts) >= 9
    return sum(counts)


@pytest.fixture
async def months(journal):
    """Partitions of the journal for acts of past years."""
    await journal.ensure_months(datetime.now(UTC) - timedelta(days=DAYS + 40), datetime.now(UTC))


async def test_closed_case_is_deleted_with_everything_at_its_end_and_no_sooner(world, months):
    tenant, _ = await world.member("Hôpital A")
    old, young = await closed(world, tenant, "old", DAYS + 2), await closed(world, tenant, "young", DAYS - 2)
    with use_clock(lambda: datetime.now(UTC) - timedelta(days=DAYS + 30)):
        still_open = await world.case(tenant.tenant_id, "open")
    await CaseRetention(world.db, world.objects, world.journal).run()
    assert await rows_of(world, old.case_id) == 0
    assert await world.objects.folders(folder_of_case(old.case_id)) == []
    with pytest.raises(FileNotFoundError):
        await world.objects.get_named(f"{folder_of_case(old.case_id)}/{'0' * 64}")
    for kept in (young, still_open):
        assert await rows_of(world, kept.case_id) > 3
        assert await world.evidence.verify(world.anna, kept.case_id) == []
    (entry,) = [one for one in await world.journalled("soc.case_expired") if str(old.case_id) in one]
    assert old.reference in entry and "cases-2026" in entry
    faults = await world.evidence.verify_all()
    assert str(old.case_id) not in faults, "what has expired is no missing evidence"


async def test_evidence_of_a_deleted_case_is_gone_and_the_same_file_elsewhere_stays(world, months):
    tenant, _ = await world.member("Hôpital B")
    old = await closed(world, tenant, "same", DAYS + 2)
    elsewhere = await world.objects.put(b"evidence same")
    (_, item) = await world.evidence.items(world.anna, old.case_id)
    await CaseRetention(world.db, world.objects, world.journal).run()
    assert await world.objects.get(elsewhere) == b"evidence same"
    with pytest.raises(FileNotFoundError):
        await world.objects.get_named(f"{folder_of_case(old.case_id)}/{item.sha256.hex()}")


async def test_merged_case_goes_with_the_one_into_which_it_was_merged(world, months):
    tenant, _ = await world.member("Hôpital C")
    with use_clock(lambda: datetime.now(UTC) - timedelta(days=DAYS + 9)):
        merged, target = await world.case(tenant.tenant_id, "m"), await world.case(tenant.tenant_id, "t")
        await world.cases.merge(world.anna, merged.case_id, target.case_id)
        await world.closing.propose(world.anna, target.case_id, "expected", "It was a planned test.")
        await world.closing.confirm(world.ben, target.case_id)
    await CaseRetention(world.db, world.objects, world.journal).run()
    assert await rows_of(world, merged.case_id) == 0 and await rows_of(world, target.case_id) == 0


async def test_case_that_was_opened_again_is_kept(world, months, monkeypatch):
    tenant, _ = await world.member("Hôpital D")
    case = await closed(world, tenant, "again", DAYS + 2)
    due = retention.retention_store.fetch_due_cases

    async def and_reopened(db, before, limit):
        found = await due(db, before, limit)
        await world.cases.reopen(world.anna, case.case_id, "It came again.")
        return found

    monkeypatch.setattr(retention.retention_store, "fetch_due_cases", and_reopened)
    await CaseRetention(world.db, world.objects, world.journal).run()
    assert await rows_of(world, case.case_id) > 3


async def test_alerts_without_a_case_are_deleted_at_their_end(world, months, monkeypatch):
    monkeypatch.setattr(retention, "AT_ONCE", 2)
    days = rule_on("alerts", datetime.now(UTC).date()).days
    tenant, contact = await world.member("Hôpital E")
    with use_clock(lambda: datetime.now(UTC) - timedelta(days=days + 2)):
        old = await world.raise_alerts(tenant.tenant_id, *"abcde")
        await world.dismissals.dismiss(world.anna, [old[0].alert_id], "expected", "A planned test of it.")
        await world.suppressions.suppress(
            world.anna, rule="rule-old", subject="", tenant_id=None, days=1, reason="A planned test of it."
        )
    (young,) = await world.raise_alerts(tenant.tenant_id, "young")
    await CaseRetention(world.db, world.objects, world.journal).run()
    for one in old:
        with pytest.raises(Problem):
            await world.alerts.alert(contact, one.alert_id)
    assert await world.alerts.alert(contact, young.alert_id) == young
    assert (await world.suppressions.page(world.anna, "rule-old")).items == []


@pytest.mark.parametrize("what", ["events", "alerts", "cases"])
def test_rule_in_force_is_that_of_the_day(what, monkeypatch):
    (first,) = [one for one in retention_rules() if one.what == what]
    later = RetentionRule(id="later", what=what, since=first.since + timedelta(days=500), days=1, legal_source="x", verified=True)  # fmt: skip
    monkeypatch.setattr("esante.services.soc.retention_rules.retention_rules", lambda: [first, later])
    assert rule_on(what, first.since - timedelta(days=9)) == first
    assert rule_on(what, later.since - timedelta(days=1)) == first and rule_on(what, later.since) == later


async def test_reading_a_case_an_alert_and_its_duties_is_journalled(world):
    tenant, contact = await world.member("Hôpital F")
    case = await world.case(tenant.tenant_id, "read")
    (alert,) = (await world.cases.view(contact, case.case_id, "timeline")).alerts
    await world.alerts.alert(contact, alert.alert_id)
    await world.duties.state(world.anna, case.case_id, incident_facts())
    await world.duties.view(contact, case.case_id)
    read = [one for one in await world.journalled("soc.case_read") if str(case.case_id) in one]
    assert ['"timeline"' in read[0], '"duties"' in read[1], len(read)] == [True, True, 2]
    assert await world.journal_count("soc.alert_read") == 1
    for refused in (world.cases.view(world.anna, uuid4()), world.alerts.alert(contact, uuid4())):
        with pytest.raises(Problem):
            await refused
    assert await world.journal_count("soc.alert_read") == 1, "what is absent is not read"
