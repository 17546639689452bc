"""Building of vintages: an indicator is added by a row of data and a line of SQL."""

from esante.services.bulletin import Bulletin
from tests.support.bulletin_indicator import ADDED_INDICATOR
from tests.support.bulletin_journal import LAST, load_past, open_bulletin, with_files


async def test_added_indicator_makes_new_vintage(fresh, tmp_path):
    await load_past(fresh, 1)
    bulletin = open_bulletin(fresh, tmp_path)
    first = await bulletin.build(LAST, "anna")
    known = bulletin.specification
    specification = with_files(known, indicators_toml=known.indicators_toml + ADDED_INDICATOR.encode())
    extended = Bulletin(fresh.db, bulletin._objects, fresh, bulletin._key, tmp_path / "scratch", specification)
    second = await extended.build(LAST, "anna")
    added = [cell for cell in second.vintage.cells if cell.indicator == "documents_replaced_by_hospitals"]
    assert second.vintage.number == 2
    assert sum(cell.value or 0 for cell in added if not cell.breakdown) > 5
    assert [cell for cell in second.vintage.cells if cell not in added] == list(first.vintage.cells)
