"""The view of a CDA document as the worker makes it: each element of the narrative block, sections, other bodies."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree, html

from esante.services.record.rendering.worker import cda
from esante.services.record.rendering.worker.narrative import Narrative

HEAD = '<ClinicalDocument xmlns="urn:hl7-org:v3">'
PNG = base64.b64encode(b"\x89PNG\r\n\x1a\n rest").decode()


def view_of(content):
    return cda.view(content, Narrative)


def document(sections="", body=""):
    inner = body or f"<structuredBody>{sections}</structuredBody>"
    return f"{HEAD}<component>{inner}</component></ClinicalDocument>".encode()


def section(content):
    return f"<component><section>{content}</section></component>"


def narrative(text, entries=""):
    """Return the HTML of a narrative block."""
    view = view_of(document(section(f"<title>Findings</title><text>{text}</text>{entries}")))
    return view["sections"][0]["body"]


def media(name, value):
    return f"<entry><observationMedia ID='{name}'>{value}</observationMedia></entry>"


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        (
            "<content revised='delete'>50 mg</content><content revised='insert'>5 mg</content>",
            '<del><span data-cda="note-deleted"></span>50 mg<span data-cda="note-end"></span></del>'
            '<ins><span data-cda="note-inserted"></span>5 mg<span data-cda="note-end"></span></ins>',
        ),
        ("<content styleCode='Bold Italics xOwn'>a</content>", "<strong><i>a</i></strong>"),
        ("<content styleCode='Underline'>a</content>", "<u>a</u>"),
        ("<content styleCode='Emphasis'>a</content>", "<em>a</em>"),
        ("<content language='fr'>a</content>", '<span lang="fr">a</span>'),
        ("H<sub>2</sub>O 10<sup>3</sup><br/>b", "H<sub>2</sub>O 10<sup>3</sup><br>b"),
        (
            "<paragraph styleCode='Bold'><caption>Dose</caption>a</paragraph>",
            '<p class="bold"><strong class="caption">Dose:</strong> a</p>',
        ),
        ("<list><item>a</item></list>", "<ul><li>a</li></ul>"),
        ("<list styleCode='Square'><item>a</item></list>", '<ul class="square"><li>a</li></ul>'),
        (
            "<list listType='ordered' styleCode='LittleRoman'><caption>B</caption><item>a</item></list>",
            '<div><p class="list-caption"><strong>B</strong></p><ol type="i"><li>a</li></ol></div>',
        ),
        (
            "<list><item><caption>B.</caption>a<list><item>c</item></list></item></list>",
            '<ul><li><strong class="caption">B.</strong> a<ul><li>c</li></ul></li></ul>',
        ),
        (
            "<table><tbody><tr><td colspan='2' rowspan='3' align='right' valign='bottom' styleCode='Lrule'>a</td></tr>"
            "</tbody></table>",
            '<table><tbody><tr><td class="right v-bottom rule-left" colspan="2" rowspan="3">a</td></tr></tbody></table>',
        ),
        ("<linkHtml href='https://example.org/a'>the guide</linkHtml>", None),
    ],
)
def test_element_of_narrative_block_has_its_html(source, expected):
    shown = narrative(source)
    if expected is None:
        expected = '<span>the guide</span><span class="address"> (https://example.org/a)</span>'
    assert shown == f"<div>{expected}</div>"


def test_table_has_caption_first_header_foot_and_alignment_of_columns():
    shown = html.fromstring(
        narrative(
            "<table summary='Blood values'><colgroup><col/><col align='right'/></colgroup><caption>Values</caption>"
            "<thead><tr><th>Name</th><th abbr='V'>Value</th></tr></thead>"
            "<tfoot><tr><td colspan='2'>All</td></tr></tfoot>"
            "<tbody><tr><td rowspan='2'>K</td><td>4.2</td></tr><tr><td>4.4</td></tr></tbody></table>"
        )
    )
    (table,) = shown.xpath("//table")
    assert [child.tag for child in table] == ["caption", "thead", "tfoot", "tbody"]
    assert table.get("aria-label") == "Blood values"
    assert shown.xpath("//th/@scope") == ["col", "col"]
    assert [cell.text for cell in shown.xpath("//*[@class='right']")] == ["Value", "4.2", "4.4"]


def test_cells_of_simple_table_are_named_for_narrow_screens():
    rows = "<tr><th>Name</th><th>Value</th></tr><tr><td>K</td><td>4.2</td></tr>"
    shown = html.fromstring(narrative(f"<table><tbody>{rows}</tbody></table>"))
    assert shown.xpath("//thead//th/text()") == ["Name", "Value"]
    assert shown.xpath("//table[@class='cards']//td/@data-label") == ["Name", "Value"]
    spanned = narrative(f"<table><tbody>{rows}<tr><td colspan='2'>a</td></tr></tbody></table>")
    assert "cards" not in spanned


def test_footnotes_are_numbered_and_follow_the_text():
    shown = html.fromstring(
        narrative(
            "<paragraph>a<footnote ID='n'>First</footnote> b<footnote>Second</footnote> c<footnoteRef IDREF='n'/>"
            " d<footnoteRef IDREF='none'/></paragraph>"
        )
    )
    (paragraph,) = shown.xpath("./p")
    assert paragraph.text_content() == "a[1] b[2] c[1] d"
    assert paragraph.xpath(".//span/@data-cda") == ["note-footnote"]
    notes = shown.xpath("./div[@class='footnotes']/div")
    assert [note.text_content() for note in notes] == ["[1] First", "[2] Second"]
    assert shown.xpath("//a/@href") == [f"#{note.get('id')}" for note in (*notes, notes[0])]


def test_link_inside_document_leads_to_its_target():
    sections = section(
        "<title>A</title><text><linkHtml href='#t'>there</linkHtml> <linkHtml href='#s'>too</linkHtml></text>"
    )
    sections += "<component><section ID='s'><title>B</title><text><table ID='t'><tbody><tr><td>c</td></tr></tbody></table></text></section></component>"
    first, second = view_of(document(sections))["sections"]
    targets = html.fromstring(first["body"]).xpath("//a/@href")
    assert targets == [f"#{html.fromstring(second['body']).xpath('//table/@id')[0]}", f"#{second['anchor']}"]


def test_embedded_picture_has_marker_and_bytes():
    embedded = media("m", f"<value mediaType='image/png' representation='B64'>{PNG}</value>")
    shown = narrative("<renderMultiMedia referencedObject='m'><caption>Knee</caption></renderMultiMedia>", embedded)
    assert shown == '<div><figure><span data-cda="media-1"></span><figcaption>Knee</figcaption></figure></div>'
    content = document(section(f"<text/>{embedded}"))
    assert cda.embedded(content, 1) == base64.b64decode(PNG)
    assert cda.embedded(content, 2) is None


@pytest.mark.parametrize(
    "value",
    [
        "<value mediaType='image/png'><reference value='knee.png'/></value>",
        f"<value mediaType='image/png' representation='B64' compression='DF'>{PNG}</value>",
        "<value mediaType='image/png' representation='B64'>%%%</value>",
        "<value mediaType='image/gif' representation='B64'>R0lGODlh</value>",
        "",
    ],
)
def test_picture_that_cannot_be_shown_is_said(value):
    shown = narrative("<renderMultiMedia referencedObject='m'/>", media("m", value))
    assert shown == '<div><figure><span data-cda="note-picture"></span></figure></div>'


def test_marked_region_is_said_with_its_picture():
    picture = f"<observationMedia><value representation='B64'>{PNG}</value></observationMedia>"
    region = (
        f"<entry><regionOfInterest ID='r'><entryRelationship>{picture}</entryRelationship></regionOfInterest></entry>"
    )
    shown = html.fromstring(narrative("<renderMultiMedia referencedObject='r'/>", region))
    assert shown.xpath("//span/@data-cda") == ["media-1", "note-region"]


@pytest.mark.parametrize(
    "hostile",
    [
        "<linkHtml href='javascript:alert(1)'>words</linkHtml>",
        "<linkHtml href='#&quot; onclick=&quot;x'>words</linkHtml>",
        "<paragraph styleCode='x' ID='y'><renderMultiMedia referencedObject='z'/>words</paragraph>",
        "<script xmlns='http://www.w3.org/1999/xhtml'>words</script>",
        "<paragraph onclick='alert(1)' style='x'>words</paragraph>",
        "<td colspan='1\" onload=\"x'>words</td>",
        "<content language='x\" onload=\"x'>words</content>",
        "<paragraph>&lt;script&gt;words&lt;/script&gt;</paragraph>",
        "<span data-cda='media-7'>words</span>",
        '<paragraph>&lt;span data-cda="media-7"&gt;&lt;/span&gt;words</paragraph>',
        "<table><tbody><tr><th>&lt;b&gt;</th></tr><tr><td>words</td></tr></tbody></table>",
        "<a href='https://example.org'>words</a><img src='x'/>",
    ],
)
def test_narrative_has_no_active_content(hostile):
    shown = narrative(hostile)
    assert "words" in shown
    for forbidden in (
        "<script",
        "href",
        "onclick=",
        "onload=",
        "style=",
        "<a",
        "<img",
        "javascript:",
        '<span data-cda="m',
    ):
        assert forbidden not in shown


@given(st.text(alphabet="<>&\"'/= abcdt", max_size=60))
def test_text_of_narrative_is_only_text(text):
    escaped = text.replace("&", "&amp;").replace("<", "&lt;")
    shown = narrative(f"<paragraph>{escaped}</paragraph>")
    assert (html.fromstring(shown).text_content() if shown else "").split() == text.split()


def test_section_without_title_has_words_of_its_code():
    sections = section("<title>Medication</title><text>Aspirin</text>")
    sections += section("<code code='48765-2' displayName='Allergies'/><text>None known</text>")
    sections += section("<code code='1'><translation displayName='Problems'/></code><text>None</text>")
    view = view_of(document(sections))["sections"]
    assert [(each["title"], each["code_name"]) for each in view] == [
        ("Medication", ""),
        ("", "Allergies"),
        ("", "Problems"),
    ]


def test_nested_section_has_level_language_confidentiality_subject_and_author():
    inner = section(
        "<title>Inner</title><text>a</text><confidentialityCode code='R'/><languageCode code='fr'/>"
        "<subject><relatedSubject><code displayName='Foetus'/></relatedSubject></subject>"
        "<author><assignedAuthor><assignedPerson><name><family>Roe</family><given>Jo</given></name></assignedPerson>"
        "</assignedAuthor></author>"
    )
    outer, nested = view_of(document(section(f"<title>Outer</title>{inner}")))["sections"]
    assert (outer["level"], outer["empty"], nested["level"]) == (2, "", 3)
    assert (nested["language"], nested["confidentiality"], nested["about"], nested["authors"]) == (
        "fr",
        "R",
        "Foetus",
        ["Jo Roe"],
    )


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("<text nullFlavor='NASK'/>", "NASK"),
        ("<text/><entry/>", "coded"),
        ("<text> </text>", "nothing"),
        ("<entry/>", "coded"),
    ],
)
def test_section_without_words_has_reason(content, reason):
    (only,) = view_of(document(section(f"<title>A</title>{content}")))["sections"]
    assert (only["body"], only["empty"]) == ("", reason)


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        (
            f"<text mediaType='application/pdf' representation='B64'>{base64.b64encode(b'%PDF-1.7').decode()}</text>",
            "pdf",
        ),
        (f"<text mediaType='image/png' representation='B64'>{PNG}</text>", "image"),
        ("<text mediaType='text/plain'>Words</text>", "text"),
        ("<text>Words</text>", "text"),
        ("<text mediaType='text/html' representation='B64'>PHA+</text>", ""),
        ("<text mediaType='application/pdf'><reference value='a.pdf'/></text>", ""),
    ],
)
def test_body_that_is_not_xml_has_kind_by_its_content(text, kind):
    attachment = view_of(document(body=f"<nonXMLBody>{text}</nonXMLBody>"))["attachment"]
    assert attachment["kind"] == kind
    assert attachment["text"] == ("Words" if kind == "text" else "")


def test_header_has_names_in_reading_order_and_dates_of_their_precision():
    header = (
        "<effectiveTime value='20240311101500+0100'/><recordTarget><patientRole><patient><name><family>Weber</family>"
        "<given>Anna</given></name><birthTime value='1980'/></patient></patientRole></recordTarget>"
        "<author><assignedAuthor><assignedAuthoringDevice><softwareName>Writer</softwareName></assignedAuthoringDevice>"
        "<representedOrganization><name>Practice</name></representedOrganization></assignedAuthor></author>"
    )
    shown = view_of(f"{HEAD}{header}</ClinicalDocument>".encode())["header"]
    assert (shown["patient"], shown["birth_date"]) == ("Anna Weber", "1980")
    assert (shown["date"], shown["authors"]) == ("2024-03-11T10:15:00+01:00", ["Writer, Practice"])


def test_xml_entities_stay_unresolved():
    bomb = b'<!DOCTYPE x [<!ENTITY a "aaaa">]>' + document(section("<text><paragraph>&a;</paragraph></text>"))
    assert "aaaa" not in str(view_of(bomb))


def test_report_over_length_or_depth_limit_is_unreadable():
    wide = document(section(f"<text>{'<paragraph>word</paragraph>' * (cda.MAX_HTML // 11 + 1)}</text>"))
    deep = document(section("<component><section>" * 30 + "</section></component>" * 30))
    for report in (wide, deep):
        with pytest.raises(cda.Unreadable):
            view_of(report)


@given(data=st.binary(max_size=300))
def test_broken_bytes_are_unreadable(data):
    with pytest.raises(cda.Unreadable):
        view_of(data)


def test_real_documents_show_every_word_of_their_narrative(shared_data):
    for file in sorted((shared_data / "ehdsi-cda").glob("*/*.xml")):
        content = file.read_bytes()
        shown = " ".join(
            html.fromstring(each["body"]).text_content() for each in view_of(content)["sections"] if each["body"]
        )
        source = etree.fromstring(content)
        for text in source.iterfind(f".//{cda.H}section/{cda.H}text"):
            assert set("".join(text.itertext()).split()) <= set(shown.replace(":", " : ").split()) | set(shown.split())
