"""The page of the access matrix is what the data say."""

from pathlib import Path

from esante.identity.access import policy_set
from esante.identity.access.regulation.handbook import access_page
from esante.packages import declared_services

ROOT = Path(__file__).resolve().parents[4]


def test_documentation_is_the_page_of_the_packaged_data():
    labels = {key: label for service in declared_services("") for key, label in service.categories.items()}
    written = (ROOT / "docs" / "access-matrix.md").read_text("utf-8")
    assert written == access_page(policy_set(), labels), "run: esante access matrix > docs/access-matrix.md"


def test_page_has_every_cell_and_context():
    page = access_page(policy_set(), {})
    table = page[page.index("| Category |") : page.index("## Exceptions")].strip().splitlines()[2:]
    marks = [cell.strip() for line in table for cell in line.strip("|").split("|")[1:]]
    assert (len(marks), set(marks)) == (209, {"W", "r", "-"})
    for context in policy_set().contexts[-1].contexts:
        assert f"| {context.label} |" in page
    for exception in policy_set().matrix.exceptions:
        assert (
            f"| {exception.label} | {exception.document_class} | from {exception.valid_from} | not verified |" in page
        )
