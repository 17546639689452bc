"""Background steps of the load: the issues of the bulletin."""

from datetime import UTC, datetime

import pytest

from esante.app import open_platform
from esante.demo import load
from esante.demo.load import load_background
from esante.services.bulletin import Bulletin, shift_month
from esante.settings import Settings


@pytest.mark.long  # builds and audits the months of three years
async def test_all_issues_but_the_newest_are_released(tmp_path):
    last = shift_month(f"{datetime.now(UTC):%Y-%m}", -1)
    async with open_platform(Settings(data=tmp_path, demo=True)) as platform:
        await load(platform, persons=20, history=3)
        await load_background(platform)
        before = await platform[Bulletin].issue(shift_month(last, -1))
        assert [vintage.period for vintage in before.history][-1:] == [shift_month(last, -2)]
        with pytest.raises(LookupError):
            await platform[Bulletin].issue(last)
        assert (await platform[Bulletin].issue(last, including="draft")).vintage.period == last
        entries = await platform.db.fetchval("SELECT count(*) FROM journal_entry")
        await load_background(platform)
        assert await platform.db.fetchval("SELECT count(*) FROM journal_entry") == entries
