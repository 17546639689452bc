"""XML of other systems: what is read, and what is refused with a reason."""

import pytest

from esante.core.plain_xml import BrokenXml, parse_xml

BOMB = b'<!DOCTYPE a [<!ENTITY b "bbbbbbbbbb"><!ENTITY c "&b;&b;&b;&b;&b;&b;&b;&b;">]><a>&c;&c;&c;&c;</a>'
REFUSED = {
    "an entity bomb": (BOMB, "document type"),
    "an external entity": (b'<!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]><a>&b;</a>', "document type"),
    "an external document type": (b'<!DOCTYPE a SYSTEM "http://127.0.0.1/a.dtd"><a/>', "document type"),
    "nothing": (b"", "empty"),
    "an open element": (b"<a><b></a>", "line 1"),
    "an unknown entity": (b"<a>&b;</a>", "not defined"),
    "an unknown encoding": (b'<?xml version="1.0" encoding="klingon"?><a/>', "ncoding"),
    "a deep tree": (b"<a>" * 300 + b"</a>" * 300, "depth"),
    "bytes that are no text": (b"<a>\xff\xfe</a>", "line 1"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_xml_that_could_do_more_than_be_read_is_refused_with_the_reason(name: str) -> None:
    data, reason = REFUSED[name]
    with pytest.raises(BrokenXml, match=reason):
        parse_xml(data)


def test_line_of_a_fault_is_named() -> None:
    with pytest.raises(BrokenXml) as caught:
        parse_xml(b"<a>\n\n<b>\n</a>")
    assert caught.value.line == 4


def test_more_markup_than_allowed_is_refused_before_it_is_parsed() -> None:
    data = b"<a>" + b'<b c="d"/>' * 100 + b"</a>"
    assert len(parse_xml(data, max_markup=202)) == 100
    with pytest.raises(BrokenXml, match="more than 201 tags and attributes"):
        parse_xml(data, max_markup=201)


def test_comments_and_instructions_stay_so_that_signatures_can_be_verified() -> None:
    root = parse_xml(b"<a><!-- b --><?c d?></a>")
    assert len(root) == 2
