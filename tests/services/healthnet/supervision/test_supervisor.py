"""The supervisor over a database: measures, anomalies with hysteresis, restarts, a second process."""

from datetime import timedelta

import pytest

from esante.core.clock import use_clock
from esante.core.storage import uuid7
from esante.services.healthnet.supervision.service import Supervisor
from tests.support.healthnet_watch import path

ALL = ("S00001", "S00002", "S00003")


def quiet():
    return [(site, {}) for site in ALL]


async def measures(network, span="hour", site="S00001", other=""):
    return await network.db.fetch(
        "SELECT * FROM healthnet_measure WHERE site = $1 AND span = $2 AND other = $3 ORDER BY starts",
        site,
        span,
        other,
    )


async def test_measures_are_kept_by_hour_and_day_for_site_and_path(network):
    count = iter(range(1000))

    def beats():
        now = next(count)
        one = path("S00002", latency_ms=10.0 + now, loss=50, rx_bytes=100 * now, tx_bytes=10 * now)
        return [("S00001", {"paths": [one, path("S00003", latency_ms=30.0)]})]

    await network.run()
    await network.watch(5, beats)
    for span in ("hour", "day"):
        (row,) = await measures(network, span, other="S00002")
        assert row["reports"] == row["latency_count"] == row["loss_count"] == 20
        assert row["latency_sum"] == pytest.approx(sum(10.0 + one for one in range(20)))
        assert (row["latency_max"], row["loss_sum"], row["received"], row["sent"]) == (29.0, 10.0, 1900, 190)
        (own,) = await measures(network, span)
        assert (own["reports"], own["latency_count"], own["received"]) == (20, 40, 1900)


async def test_bytes_of_a_tunnel_that_began_anew_are_counted(network):
    await network.run()
    for received in (500, 700, 40):
        await network.beat("S00001", [path("S00002", rx_bytes=received)])
        await network.run(15)
    await network.run(30)
    (row,) = await measures(network, other="S00002")
    assert row["received"] == 240


async def test_silent_site_is_raised_once_and_ended_when_it_is_heard(network):
    await network.watch(2, quiet)
    heard_last = network.clock()
    await network.watch(6, lambda: quiet()[1:])
    assert await network.anomalies() == [("S00001", "", "silent", True)]
    (row,) = await network.db.fetch("SELECT * FROM healthnet_anomaly")
    assert row["began_at"] == heard_last
    await network.watch(1, quiet)
    assert await network.anomalies() == [("S00001", "", "silent", False)]
    types = await network.db.fetch(
        "SELECT type FROM journal_entry WHERE type LIKE 'healthnet.anomaly%' ORDER BY entry_id"
    )
    assert [row["type"] for row in types][-2:] == ["healthnet.anomaly_raised", "healthnet.anomaly_ended"]


async def test_slow_path_is_raised_after_ten_minutes_and_not_for_a_moment(network):
    latency = {"now": 20.0}

    def beats():
        return [("S00001", {"paths": [path("S00002", latency_ms=latency["now"])]}), *quiet()[1:]]

    await network.watch(1, beats)
    for now, minutes in ((200.0, 9), (20.0, 1), (200.0, 9)):
        latency["now"] = now
        await network.watch(minutes, beats, step=30)
    assert await network.anomalies() == []
    await network.watch(2, beats)
    assert await network.anomalies() == [("S00001", "S00002", "slow", True)]
    latency["now"] = 120.0
    await network.watch(20, beats, step=30)
    assert await network.anomalies() == [("S00001", "S00002", "slow", True)]
    latency["now"] = 80.0
    await network.watch(11, beats, step=30)
    assert await network.anomalies() == [("S00001", "S00002", "slow", False)]


async def test_certificate_near_its_end_and_old_agent_are_raised(network):
    for number, hours in ((1, 90), (2, 30), (3, 0.01)):
        created = network.clock() - timedelta(hours=hours)
        await network.db.fetch("INSERT INTO healthnet_release VALUES ($1, '', '', '', $2)", number, created)
    ends = (network.clock() + timedelta(hours=47)).isoformat()
    await network.watch(2, lambda: [("S00001", {"certificate_not_after": ends, "release": 3}), *quiet()[1:]])
    assert await network.anomalies() == [("S00001", "", "certificate_ends", True)]
    renewed = (network.clock() + timedelta(days=7)).isoformat()
    beats = [("S00001", {"certificate_not_after": renewed, "release": 1}), *quiet()[1:]]
    await network.watch(1, lambda: beats)
    assert (await network.anomalies())[0] == ("S00001", "", "certificate_ends", False)
    assert ("S00001", "", "old_agent", True) in await network.anomalies()
    beats[0][1]["release"] = 2
    await network.watch(1, lambda: beats)
    assert ("S00001", "", "old_agent", True) in await network.anomalies()
    beats[0][1]["release"] = 3
    await network.watch(1, lambda: beats)
    assert ("S00001", "", "old_agent", False) in await network.anomalies()


async def test_traffic_far_from_the_usual_of_the_hour_is_raised(network):
    hour = network.clock().replace(minute=0)
    for days in range(1, 8):
        starts = hour - timedelta(days=days)
        for site, number in (("S00001", 3600 * 4000), ("S00002", 3600 * 40)):
            await network.db.fetch(
                "INSERT INTO healthnet_measure VALUES ($1, 'hour', '', $2, 100, 0, 0, 0, 0, 0, $3, 0)",
                site,
                starts,
                number,
            )
    sent = {"all": 0}

    def beats():
        sent["all"] += 4000 * 15 * 40
        return [(site, {"paths": [path("S00003", tx_bytes=sent["all"])]}) for site in ALL[:2]] + quiet()[2:]

    await network.watch(16, beats)
    assert await network.anomalies() == [("S00001", "", "much_traffic", True)]


async def test_supervisor_that_starts_again_raises_nothing_twice_and_does_not_take_its_absence_for_silence(network):
    await network.watch(2, quiet)
    await network.watch(6, lambda: quiet()[1:])
    network.supervisor = Supervisor(network.db, network.journal)
    network.clock.move(timedelta(hours=2))
    await network.watch(2, lambda: quiet()[1:])
    assert await network.anomalies() == [("S00001", "", "silent", True)]
    assert len(await network.db.fetch("SELECT FROM healthnet_watch")) == 2
    await network.watch(6, lambda: quiet()[2:])
    assert await network.anomalies() == [("S00001", "", "silent", True), ("S00002", "", "silent", True)]


async def test_second_process_does_nothing_until_the_first_is_gone(network):
    second = Supervisor(network.db, network.journal)

    def beats():
        return [("S00001", {"paths": [path("S00002")]}), *quiet()[1:]]

    for _ in range(8):
        await network.watch(0.25, beats)
        with use_clock(network.clock):
            await second.run()
    (row,) = await measures(network)
    assert row["reports"] <= 8
    assert len(await network.db.fetch("SELECT FROM healthnet_watch")) == 1
    network.supervisor = second
    await network.watch(2, beats)
    assert len(await network.db.fetch("SELECT FROM healthnet_watch")) == 2


async def test_anomalies_of_a_suspended_site_end(network):
    await network.watch(2, quiet)
    await network.watch(6, lambda: quiet()[1:])
    await network.db.fetch("UPDATE healthnet_connection SET is_suspended = true WHERE site = 'S00001'")
    await network.watch(1, lambda: quiet()[1:])
    assert await network.anomalies() == [("S00001", "", "silent", False)]


async def test_failed_write_leaves_no_anomaly_that_was_not_kept(network, monkeypatch):
    await network.watch(2, quiet)

    async def fail(conn, rows):
        raise RuntimeError("disk")

    with monkeypatch.context() as patch:
        patch.setattr("esante.services.healthnet.supervision.service.insert", fail)
        network.clock.move(timedelta(seconds=181))
        for site in ALL[1:]:
            await network.beat(site)
        with pytest.raises(RuntimeError, match="disk"):
            await network.run()
    await network.watch(6, lambda: quiet()[1:])
    assert await network.anomalies() == [("S00001", "", "silent", True)]


async def test_measures_are_deleted_after_their_time(network):
    old = network.clock() - timedelta(days=50)
    for other, span in (("", "hour"), ("S00002", "hour"), ("", "day"), ("S00002", "day")):
        await network.db.fetch(
            "INSERT INTO healthnet_measure VALUES ('S00001', $1, $2, $3, 1, 0, 0, 0, 0, 0, 0, 0)", span, other, old
        )
    await network.db.fetch(
        "INSERT INTO healthnet_anomaly VALUES ($1, 'S00001', '', 'silent', 3, 1, $2, $2, $2)",
        uuid7(),
        old - timedelta(days=1100),
    )
    with use_clock(network.clock):
        await network.supervisor.tidy()
    rows = await network.db.fetch("SELECT span, other FROM healthnet_measure")
    assert {(row["span"], row["other"]) for row in rows} == {("hour", ""), ("day", ""), ("day", "S00002")}
    assert await network.anomalies() == []


async def test_hour_of_the_network_is_reported_to_the_journal_once(network):
    await network.db.fetch("DELETE FROM journal_entry WHERE type = 'healthnet.observed'")
    await network.watch(45, quiet, step=30)
    rows = await network.db.fetch("SELECT content FROM journal_entry WHERE type = 'healthnet.observed'")
    assert len(rows) == 1
    assert b'"minutes_expected":180,"minutes_missing":0' in bytes(rows[0]["content"])
