"""The Atom feed of the bulletin: an entry for every version of every month (RFC 4287)."""

from collections.abc import Sequence
from datetime import datetime
from xml.etree import ElementTree as ET

from esante.services.bulletin.publication.dcat import TITLE, Edition
from esante.services.bulletin.publication.formatting import STATUSES, words

_ATOM = "http://www.w3.org/2005/Atom"


def atom(editions: Sequence[Edition], base_url: str, language: str) -> bytes:
    """The feed in a language, newest first; the reason of a correction stands in its entry."""
    w = words(language)
    feed = ET.Element("feed", {"xmlns": _ATOM, "xml:lang": language})
    _add(feed, "title", TITLE)
    _add(feed, "id", f"{base_url}/bulletin")
    _add(feed, "updated", _moment(max((edition.released_at for edition in editions), default=_NEVER)))
    ET.SubElement(feed, "link", {"href": f"{base_url}/bulletin"})
    ET.SubElement(feed, "link", {"rel": "self", "href": f"{base_url}/bulletin/feed.atom"})
    _add(ET.SubElement(feed, "author"), "name", "Agence eSanté")
    for edition in sorted(editions, key=lambda one: one.released_at, reverse=True):
        url = f"{base_url}/bulletin/{edition.period}"
        entry = ET.SubElement(feed, "entry")
        _add(entry, "title", f"{TITLE}, {w.month(edition.period)} (v{edition.number})")
        _add(entry, "id", f"{url}#v{edition.number}")
        _add(entry, "updated", _moment(edition.released_at))
        ET.SubElement(entry, "link", {"href": url, "hreflang": language})
        status = w.text(STATUSES[edition.status])
        _add(entry, "summary", f"{status}. {w.reason(edition.reason)}".strip())
    ET.indent(feed)
    text: bytes = ET.tostring(feed, encoding="utf-8", xml_declaration=True)
    return text + b"\n"


_NEVER = datetime.fromisoformat("1970-01-01T00:00:00+00:00")


def _add(parent: ET.Element, name: str, text: str) -> None:
    ET.SubElement(parent, name).text = text


def _moment(at: datetime) -> str:
    return at.isoformat()
