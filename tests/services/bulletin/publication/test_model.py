"""The document of an issue."""

import msgspec

from esante.services.bulletin.publication.chart_blocks import breakdown_chart
from esante.services.bulletin.publication.formatter import formatter
from esante.services.bulletin.publication.issue_files import make_document
from tests.support.bulletin_issue import BASE, sample_issue


def test_category_without_cell_is_zero_in_counted_month():
    issue = sample_issue(months=2)
    missing = ("documents_deposited", "origin", "patient")
    left = tuple(cell for cell in issue.vintage.cells if cell.series_key != missing)
    document = make_document(
        msgspec.structs.replace(issue, vintage=msgspec.structs.replace(issue.vintage, cells=left)), BASE
    )
    assert document.cell(missing[0], None, *missing[1:]).value == 0
    assert document.cell(missing[0], "2020-01", *missing[1:]) is None
    assert document.cell("helpdesk_enquiries", None, "origin", "patient") is None
    chart = breakdown_chart(document, document.indicator(missing[0]), "origin", formatter("en"))
    assert ["Patient", "0"] in [row[:2] for row in chart.numbers.rows]
