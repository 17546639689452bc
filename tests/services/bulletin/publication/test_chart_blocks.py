"""Charts with their data tables."""

import msgspec

from esante.services.bulletin.model import CellFlag
from esante.services.bulletin.publication.chart_blocks import line_chart
from esante.services.bulletin.publication.formatter import formatter
from esante.services.bulletin.publication.issue_files import make_document
from esante.services.bulletin.publication.key_messages import key_messages
from tests.support.bulletin_issue import BASE, sample_issue


def test_suppressed_value_is_in_no_message_and_no_table():
    issue = sample_issue(months=3)
    suppressed = "documents_deposited"
    cells = tuple(
        msgspec.structs.replace(cell, value=None, flag=CellFlag.SUPPRESSED) if cell.indicator == suppressed else cell
        for cell in issue.vintage.cells
    )
    document = make_document(
        msgspec.structs.replace(issue, vintage=msgspec.structs.replace(issue.vintage, cells=cells)), BASE
    )
    assert all(message.cell.indicator != suppressed for message in key_messages(document))
    chart = line_chart(document, document.indicator(suppressed), formatter("en"))
    assert chart.numbers.rows[-1][10] == "*"
