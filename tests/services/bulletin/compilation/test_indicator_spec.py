"""The indicator specification and its checks."""

import pytest

from esante.services.bulletin import IndicatorSpecification
from tests.support.bulletin_indicator import ADDED_INDICATOR
from tests.support.bulletin_journal import with_files

SHARE_WITHOUT_BREAKDOWN = (
    ADDED_INDICATOR.replace('measure = "rows"', 'measure = "share"\nof = ["records_open", "records_closed"]')
    .replace('kind = "flow"', 'kind = "share"')
    .replace("sql = ", "# ")
)


def test_inconsistent_row_is_named():
    known = IndicatorSpecification.from_packages()
    for wrong, message in (
        (ADDED_INDICATOR.replace('"format"', '"colour"', 1), "broken down by colour"),
        (
            ADDED_INDICATOR.replace('measure = "rows"', 'measure = "none"'),
            "documents_replaced_by_hospitals needs `sql`",
        ),
        (ADDED_INDICATOR.replace("documents_replaced_by_hospitals", "records_open"), "same id"),
        ('\n[[relation]]\nsum = { "no_such@-1" = 1 }\n', "term no_such@-1"),
        ('\n[[relation]]\nsum = { "records_open[grant=circle]" = 1 }\n', "records_open.grant=circle., which is not"),
        (SHARE_WITHOUT_BREAKDOWN, "a breakdown that its two indicators have not"),
    ):
        with pytest.raises(ValueError, match=message):
            with_files(known, indicators_toml=known.indicators_toml + wrong.encode())
