"""The Atom feed."""

from lxml import etree

from esante.services.bulletin.publication.atom import encode_feed
from esante.services.bulletin.publication.dcat import Edition
from tests.support.bulletin_issue import BASE, sample_issue


def test_feed_has_entry_for_each_version_newest_first():
    issue = sample_issue()
    at = issue.released_at
    editions = [
        Edition("2026-09", 1, "final", at.replace(month=10)),
        Edition("2026-09", 2, "revised", at, reason="A <late> feed"),
    ]
    feed = etree.fromstring(encode_feed(editions, BASE, "en"))
    names = {"a": "http://www.w3.org/2005/Atom"}
    assert [one.text for one in feed.findall("a:entry/a:id", names)] == [
        f"{BASE}/bulletin/2026-09#v{n}" for n in (2, 1)
    ]
    assert "A <late> feed" in feed.find("a:entry/a:summary", names).text
    assert feed.find("a:updated", names).text == at.isoformat()
