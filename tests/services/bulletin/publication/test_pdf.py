"""The PDF: archivable, accessible, in its language."""

from pathlib import Path

import pikepdf
import pypdfium2
import pytest

from esante.services.bulletin.model import LANGUAGES
from esante.services.bulletin.publication.formatter import formatter
from esante.services.bulletin.publication.themes import themes_begun
from tests.support.bulletin_issue import sample


@pytest.mark.parametrize("language", LANGUAGES)
def test_pdf_is_archivable_accessible_and_in_its_language(issue_files, language):
    file = issue_files[f"-{language}.pdf"]
    with pikepdf.open(file.path) as pdf:
        xmp = pdf.open_metadata()
        assert (xmp["pdfaid:part"], xmp["pdfaid:conformance"], xmp["pdfuaid:part"]) == ("2", "A", "1")
        assert str(pdf.Root.Lang) == language
        assert pdf.Root.MarkInfo.Marked
        assert 8 <= len(pdf.pages) <= 20
    shown = " ".join(" ".join(page_texts(file.path)).split())
    fmt, issue = formatter(language), sample()
    themes = themes_begun(issue.indicators, issue.period)
    for text in ("Based on synthetic data: all figures are fictitious.", *(theme.title for theme in themes)):
        assert "".join(fmt.text(text).split()) in shown.replace(" ", "")  # extraction drops narrow spaces
    cell = issue.cell("documents_deposited")
    assert fmt.value(cell).replace("\u00a0", " ") in shown.replace("\u00a0", " ")


def page_texts(path):
    """Return the text of each page of a PDF."""
    return [page.get_textpage().get_text_range() for page in pypdfium2.PdfDocument(path)]


def test_committed_sample_equals_generated_pdf(issue_files):
    committed = page_texts(Path(__file__).resolve().parents[4] / "docs" / "sample-bulletin-en.pdf")
    assert committed == page_texts(issue_files["-en.pdf"].path), (
        "run: python -m tests.support.bulletin_issue FOLDER, and copy the English PDF"
    )
    assert all("all figures are fictitious" in " ".join(page.split()) for page in committed)
