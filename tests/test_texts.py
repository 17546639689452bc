"""The check for texts outside the catalogs, and for words that the texts do not use."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tools"))
from check_texts import (  # noqa: E402
    banned_terms,
    data_texts,
    outside_catalogs,
    python_texts,
    template_texts,
)


def test_no_text_is_outside_the_catalogs_and_no_banned_word_in_them():
    tool = ROOT / "tools" / "check_texts.py"
    done = subprocess.run([sys.executable, tool], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize(
    ("template", "found"),
    [
        ("<p>Not translated</p>", ["Not translated"]),
        ('<p{% if x %} class="soft small"{% endif %}>{{ _("Translated text") }} · {{ name }}</p>', []),
        ("<a title='See more'></a><img alt=''>", ["See more"]),
        ('{{ ui.heading("My record") }}', ["My record"]),
        ('{{ ui.heading(_("My record"), title=pgettext("page", "Next page")) }}', []),
        ('{{ _("Hello %(name)s", name="Dear Somebody") }}', ["Dear Somebody"]),
        ("{# Only a remark #}{% block width %}wide{% endblock %}<code>python3 run.py</code> PDF, CSV", []),
    ],
)
def test_text_of_a_template_without_translation_is_found(template, found):
    assert list(template_texts(template)) == found


@pytest.mark.parametrize(
    ("module", "found"),
    [
        ('raise Problem(404, "not-found", "There is nothing.")', ["'There is nothing.'"]),
        ('raise Problem(404, "not-found", N_("There is nothing."), remedy=f"Ask {who}.")', ["f'Ask {who}.'"]),
        ('bad_request("date", N_("This is no day."), code="value")', []),
        ('NavigationItem(role="patient", url="/x", label="Home", icon="home")', ["'Home'"]),
    ],
)
def test_text_of_python_without_mark_is_found(module, found):
    assert list(python_texts(module)) == found


def test_data_file_of_names_of_a_standard_is_left_out():
    assert list(data_texts('title = "Network Activity of all"')) == ["Network Activity of all"]
    assert list(data_texts('names_of = "A standard"\ntitle = "Network Activity of all"')) == []


def test_sentence_of_data_that_is_no_msgid_is_found():
    data = """
    legal_source = "Regulation of some day"
    label = "A message of the catalogs"
    title = "A sentence of its own"
    [titles]
    fr = "Une phrase ici"
    de = "Ein Satz hier"
    en = "A sentence here"
    lb = "E Saz hei"
    [more]
    fr = "Une phrase seule"
    """
    assert list(data_texts(data)) == ["A sentence of its own", "Une phrase seule"]


def test_demo_is_not_searched(tmp_path):
    for folder in ("demo", "portal"):
        (tmp_path / folder / "templates").mkdir(parents=True)
        (tmp_path / folder / "templates" / "a.html").write_text("<p>Some words</p>")
    assert list(outside_catalogs(tmp_path)) == ["portal/templates/a.html: not in the catalogs: 'Some words'"]


def test_banned_word_is_named_with_the_term_to_use():
    rules = {"de": [{"use": "etwas anderes", "not": ["Startseite"]}]}
    faults = list(banned_terms(rules))
    assert faults and all("use etwas anderes" in fault for fault in faults)
    assert list(banned_terms({"de": [{"use": "x", "not": ["Startseit"]}]})) == []
