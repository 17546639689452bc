"""The page on which patients download their data, without JavaScript."""

from esante.core.storage import JobWorker
from esante.identity.access import requester_of
from tests.support.export import browser, get_page, submit


async def test_prepare_again_replaces_the_export_and_delete_removes_it(platform, patient, objects):
    requester = requester_of(patient)
    async with browser(platform, requester) as client:
        for _ in range(3):
            await submit(client, "/takeout")
            await platform.run_worker()
        [job] = await platform.exports.jobs(requester)
        assert (await submit(client, "/takeout/delete")).status_code == 303
        assert await platform.exports.jobs(requester) == []
        assert job.id.hex not in await objects.folders("export")
        assert "Prepare my data" in (await client.get("/takeout")).text


async def test_running_export_can_be_cancelled(platform, patient, monkeypatch):
    monkeypatch.setattr(JobWorker, "STEP_SECONDS", 0.0)
    requester = requester_of(patient)
    async with browser(platform, requester) as client:
        await submit(client, "/takeout")
        await platform.exports.worker.advance()
        shown = await get_page(client, "/takeout?shown=0")
        assert 0 < int(shown.xpath("//progress/@value")[0]) < 100
        await submit(client, "/takeout/delete")
        assert await platform.exports.jobs(requester) == []


async def test_page_and_download_are_for_the_patient_only(platform, patient):
    async with browser(platform, requester_of(patient)) as client:
        await submit(client, "/takeout")
        await platform.run_worker()
        assert (await client.post("/takeout")).status_code == 403
        assert (await client.post("/takeout/delete")).status_code == 403
    async with browser(platform, requester_of(await platform.add_patient())) as other:
        assert (await other.get("/takeout/data.zip")).status_code == 404
        assert "Prepare my data" in (await other.get("/takeout")).text
    for kind in ("doctor", "hospital", "operator"):
        async with browser(platform, platform.people[kind]) as other:
            for path in ("/takeout", "/takeout/data.zip"):
                assert (await other.get(path)).status_code == 404
