"""The Atom feed (RFC 4287): an entry for every version of every month."""

from collections.abc import Sequence
from datetime import datetime
from xml.etree import ElementTree as ET

from esante.core.web import current_agency
from esante.services.bulletin.publication.dcat import Edition
from esante.services.bulletin.publication.formatter import STATUSES, formatter

_ATOM = "http://www.w3.org/2005/Atom"


def encode_feed(editions: Sequence[Edition], base_url: str, language: str) -> bytes:
    """Return the feed in a language, newest first; the summary of a revision has its reason."""
    fmt = formatter(language)
    feed = ET.Element("feed", {"xmlns": _ATOM, "xml:lang": language})
    title = current_agency().bulletin_name.of(language)
    _add_element(feed, "title", title)
    _add_element(feed, "id", f"{base_url}/bulletin")
    _add_element(feed, "updated", _date_time(max((edition.released_at for edition in editions), default=_EPOCH)))
    ET.SubElement(feed, "link", {"href": f"{base_url}/bulletin"})
    ET.SubElement(feed, "link", {"rel": "self", "href": f"{base_url}/bulletin/feed.atom"})
    _add_element(ET.SubElement(feed, "author"), "name", current_agency().agency_name.of(language))
    for edition in sorted(editions, key=lambda one: one.released_at, reverse=True):
        url = f"{base_url}/bulletin/{edition.period}"
        entry = ET.SubElement(feed, "entry")
        _add_element(entry, "title", f"{title}, {fmt.month(edition.period)} (v{edition.number})")
        _add_element(entry, "id", f"{url}#v{edition.number}")
        _add_element(entry, "updated", _date_time(edition.released_at))
        ET.SubElement(entry, "link", {"href": url, "hreflang": language})
        status = fmt.text(STATUSES[edition.status])
        _add_element(entry, "summary", f"{status}. {fmt.reason(edition.reason)}".strip())
    ET.indent(feed)
    data: bytes = ET.tostring(feed, encoding="utf-8", xml_declaration=True)
    return data + b"\n"


_EPOCH = datetime.fromisoformat("1970-01-01T00:00:00+00:00")


def _add_element(parent: ET.Element, name: str, text: str) -> None:
    ET.SubElement(parent, name).text = text


def _date_time(at: datetime) -> str:
    return at.isoformat()
