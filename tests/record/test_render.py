import io

import pytest
from fpdf import FPDF
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from esante.record import render

CDA = """<ClinicalDocument xmlns="urn:hl7-org:v3"><component><structuredBody><component><section>
<title>Findings</title><text>{}</text></section></component></structuredBody></component></ClinicalDocument>"""


def pdf(pages):
    document = FPDF()
    document.set_font("helvetica", size=12)
    for number in range(1, pages + 1):
        document.add_page()
        document.cell(text=f"Words of page {number}")
    return bytes(document.output())


def png(mode="RGB", size=(30, 20), **options):
    out = io.BytesIO()
    Image.new(mode, size).save(out, "PNG", **options)
    return out.getvalue()


def narrative(text):
    (section,) = render.cda_sections(CDA.format(text).encode())
    return section


def test_pages_of_a_pdf_have_their_size_and_text():
    total, sheets = render.sheets(pdf(2))
    assert total == 2
    assert [sheet.text for sheet in sheets] == ["Words of page 1", "Words of page 2"]
    picture = Image.open(io.BytesIO(render.sheet_png(pdf(2), 2)))
    assert picture.size == (sheets[1].width, sheets[1].height)


def test_only_so_many_pages_are_shown():
    content = pdf(render.MAX_PAGES + 1)
    total, sheets = render.sheets(content)
    assert (total, len(sheets)) == (render.MAX_PAGES + 1, render.MAX_PAGES)
    assert render.sheet_png(content, render.MAX_PAGES + 1) is None
    assert render.sheet_png(content, 0) is None


def test_a_page_of_monstrous_size_makes_a_small_picture():
    document = FPDF(unit="pt", format=(14_000, 14_000))
    document.add_page()
    picture = Image.open(io.BytesIO(render.sheet_png(bytes(document.output()), 1)))
    assert picture.width <= render.PAGE_WIDTH
    assert picture.height <= render.PAGE_HEIGHT


@pytest.mark.parametrize(
    "show", [render.sheets, render.picture, render.cda_sections, lambda d: render.sheet_png(d, 1)]
)
@given(data=st.binary(max_size=300))
def test_broken_bytes_are_unreadable_and_nothing_worse(show, data):
    with pytest.raises(render.Unreadable):
        show(data)


def test_a_picture_loses_its_metadata():
    from PIL.PngImagePlugin import PngInfo

    info = PngInfo()
    info.add_text("Comment", "Jane Example")
    media_type, data = render.picture(png(pnginfo=info))
    assert media_type == "image/png"
    assert b"Jane Example" not in data


def test_a_picture_is_not_larger_than_a_screen_needs():
    _, data = render.picture(png("L", (5_000, 40)))
    assert max(Image.open(io.BytesIO(data)).size) <= render.PICTURE_SIDE


def test_a_narrative_keeps_its_structure():
    section = narrative(
        "<paragraph>One <content styleCode='Bold'>two</content></paragraph><list><item>three</item></list>"
    )
    assert section.title == "Findings"
    assert section.body == "<div><p>One <strong>two</strong></p><ul><li>three</li></ul></div>"


@pytest.mark.parametrize(
    "hostile",
    [
        "<linkHtml href='javascript:alert(1)'>words</linkHtml>",
        "<paragraph styleCode='x' ID='y'><renderMultiMedia referencedObject='z'/>words</paragraph>",
        "<script xmlns='http://www.w3.org/1999/xhtml'>words</script>",
        "<paragraph onclick='alert(1)' style='x'>words</paragraph>",
        "<td colspan='1\" onload=\"x'>words</td>",
        "<paragraph>&lt;script&gt;words&lt;/script&gt;</paragraph>",
    ],
)
def test_nothing_active_comes_out_of_a_narrative(hostile):
    body = str(narrative(hostile).body)
    assert "words" in body
    for forbidden in ("<script", "href", "onclick", "onload=", "style", "<a", "<img", "javascript:"):
        assert forbidden not in body


def test_entities_of_xml_stay_unresolved():
    bomb = '<!DOCTYPE x [<!ENTITY a "aaaa">]>' + CDA.format("<paragraph>&a;</paragraph>")
    assert "aaaa" not in str([section.body for section in render.cda_sections(bomb.encode())])


@given(st.text())
def test_text_is_shown_as_it_is(text):
    assert render.plain_text(text.encode("utf-8", "replace")) == text.encode("utf-8", "replace").decode()
