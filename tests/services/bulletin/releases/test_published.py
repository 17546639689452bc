"""Released vintages: an issue shows what was released with it."""

from esante.services.bulletin.releases.published import PublishedVintage
from tests.support.bulletin_issue import releases_of, revise


def test_later_revision_is_absent_from_earlier_issue(months):
    march = next(one for one in months if one.period == "2025-03")
    late = revise(march, "documents_deposited", 7)
    releases = releases_of(months, PublishedVintage(late, march.as_of.replace(month=6, day=1)))
    may, april = releases.find("2025-05"), releases.find("2025-04")
    assert [vintage.number for vintage in releases.issue_of(may).history if vintage.period == "2025-03"] == [2]
    assert [vintage.number for vintage in releases.issue_of(april).history if vintage.period == "2025-03"] == [1]
    assert [revision.after.period for revision in releases.issue_of(may).revisions] == ["2025-03"]
    assert releases.issue_of(april).revisions == ()
