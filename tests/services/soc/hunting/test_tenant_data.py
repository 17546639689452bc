"""What is kept of a member: retention by dated rules, export with hashes, deletion that leaves nothing."""

import hashlib
import io
import json
import zipfile
from datetime import UTC, datetime, timedelta

import pyarrow.parquet as pq
import pytest

from esante.core.web import Problem
from esante.services.soc.hunting import archive_store, retention
from esante.services.soc.hunting.model import Hunt, folder_of
from esante.services.soc.hunting.retention import Retention
from esante.services.soc.hunting.tenant_data import TenantData
from esante.services.soc.retention_rules import RetentionRule, rule_on
from tests.support.soc_hunting import DAY, keep, some_events


@pytest.fixture
def data(world, objects, events, archive):
    """What is kept of members."""
    return TenantData(world.db, objects, world.journal, world.tenants, events, archive)


async def two_days(world, archive, name):
    tenant, contact = await world.member(name)
    today = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    kept = [*some_events(tenant.tenant_id, DAY, 30), *some_events(tenant.tenant_id, today, 12)]
    await keep(world.db, kept)
    await archive.move(DAY.date())
    return tenant, contact, kept


async def test_export_has_every_event_with_manifest_and_hashes_and_none_of_another(world, data, archive):
    tenant, contact, kept = await two_days(world, archive, "Hôpital A")
    await two_days(world, archive, "Hôpital B")
    content = b"".join([piece async for piece in await data.export(contact, tenant.tenant_id)])
    with zipfile.ZipFile(io.BytesIO(content)) as made:
        manifest = json.loads(made.read("manifest.json"))
        ids = []
        for one in manifest["files"]:
            part = made.read(one["name"])
            assert hashlib.sha256(part).hexdigest() == one["sha256"]
            table = pq.read_table(io.BytesIO(part))
            assert table.num_rows == one["events"] and set(table.column_names) == set(manifest["columns"])
            ids += table["event_id"].to_pylist()
        assert {*made.namelist()} == {"manifest.json", *(one["name"] for one in manifest["files"])}
    assert sorted(ids) == sorted(str(one.event_id) for one in kept)


async def test_export_of_another_member_is_absent(world, data, archive):
    tenant, _, _ = await two_days(world, archive, "Hôpital C")
    _, other = await world.member("Hôpital D")
    with pytest.raises(Problem) as caught:
        await data.export(other, tenant.tenant_id)
    assert caught.value.status == 404


async def test_deletion_leaves_no_file_and_no_row_of_the_member_and_all_of_others(
    world, data, archive, objects, events, hunts, tmp_path
):
    tenant, contact, kept = await two_days(world, archive, "Hôpital E")
    other, _, others = await two_days(world, archive, "Hôpital F")
    run = await hunts.start(contact, Hunt(since=DAY, until=DAY + timedelta(days=300), text="connection"))
    await hunts._working[run.run_id]
    with pytest.raises(Problem) as caught:
        await data.delete(world.anna, tenant.tenant_id)
    assert caught.value.status == 409
    await world.tenants.change(world.anna, tenant.tenant_id, is_active=False, quota=1)
    files = await archive_store.fetch_files(world.db, tenant.tenant_id)
    assert await data.delete(world.anna, tenant.tenant_id) == (1, len(kept))
    for file in files:
        for name in (file.name, file.values_name):
            with pytest.raises(FileNotFoundError):
                await objects.path_of(name, tmp_path)
    tables = [
        row["table_name"]
        for row in await world.db.fetch(
            "SELECT c.table_name FROM information_schema.columns c JOIN information_schema.tables t USING (table_name)"
            " WHERE c.column_name = 'tenant_id' AND c.table_name LIKE 'soc\\_%' AND t.table_type = 'BASE TABLE'"
        )
    ]
    left = {
        name: await world.db.fetchval(f"SELECT count(*) FROM {name} WHERE tenant_id = $1", tenant.tenant_id)
        for name in tables
    }
    events_left = {name: count for name, count in left.items() if count and name not in ("soc_tenant", "soc_contact")}
    assert events_left == {} and "soc_event" in tables
    assert folder_of(other.tenant_id).split("/")[1] in await objects.folders("soc-events")
    result = [
        one
        async for one in hunts._search.run(
            other.tenant_id, Hunt(since=DAY, until=DAY + timedelta(days=300), text="connection")
        )
    ][-1]
    assert result.matches == len(others)
    assert await world.db.fetchval("SELECT count(*) FROM journal_entry WHERE type = 'soc.tenant_data_deleted'") == 1


async def test_events_are_deleted_when_the_time_of_the_rule_in_force_has_ended(world, archive, events, monkeypatch):
    tenant, _, _ = await two_days(world, archive, "Hôpital G")
    rule = rule_on("events", datetime.now(UTC).date())
    age = (datetime.now(UTC) - DAY).days
    for days, files in [(age + 1, 1), (age - 1, 0)]:
        changed = RetentionRule(id="t", what="events", since=rule.since, days=days, legal_source="", verified=False)
        monkeypatch.setattr(retention, "rule_on", lambda what, day, changed=changed: changed)
        await Retention(world.db, world.journal, archive).run()
        assert len(await archive_store.fetch_files(world.db, tenant.tenant_id)) == files
    assert await world.db.fetchval("SELECT count(*) FROM soc_archive_file WHERE tenant_id = $1", tenant.tenant_id) == 0
