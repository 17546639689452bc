"""Batches, segments and files of bounded size."""

from collections import Counter

from esante.services.export import rules as export_rules
from esante.services.export.segments import segment_writer
from esante.services.record import bulk_read
from tests.support.export import count_keys


async def test_small_bounds_split_files_without_losing_lines(platform, large_client, monkeypatch):
    async with platform.client(large_client) as http:
        expected = count_keys(await platform.fetch_lines(http, await platform.run_export(http)))
        monkeypatch.setattr(segment_writer, "BATCH_BYTES", 8_000)
        monkeypatch.setattr(export_rules, "FILE_BYTES", 12_000)
        monkeypatch.setattr(bulk_read, "PAGE", bulk_read.PageLimits(count=4, size=3_000))
        manifest = await platform.run_export(http)
        assert count_keys(await platform.fetch_lines(http, manifest)) == expected
        files = Counter(one["type"] for one in manifest["output"])
        assert files["Observation"] > 3
        assert len({one["url"] for one in manifest["output"]}) == len(manifest["output"])
        for one in manifest["output"]:
            assert (
                int((await http.head(one["url"], headers={"Accept-Encoding": "identity"})).headers["content-length"])
                < 20_000
            )
