import subprocess
import sys
from pathlib import Path

import pytest
from babel.messages import Catalog

sys.path.insert(0, str(Path(__file__).parents[1] / "tools"))
from check_translations import faults_of, found_texts, missing


def test_no_text_of_the_program_is_untranslated():
    tool = Path(__file__).parents[1] / "tools" / "check_translations.py"
    done = subprocess.run([sys.executable, tool], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_texts_are_found_in_templates_python_and_data(tmp_path):
    (tmp_path / "a.html").write_text("{{ _('in a template') }} {% trans %}in a\n block{% endtrans %}")
    (tmp_path / "a.py").write_text("N_('in Python'); ngettext('one', 'many', 2)")
    (tmp_path / "a.toml").write_text('[[term]]\nlabel = "in data"\nsource = "not shown"\n')
    assert set(dict(found_texts(tmp_path))) == {"in a template", "in a block", "in Python", "one", "in data"}


@pytest.mark.parametrize(
    ("translation", "flags", "fault"),
    [
        ("", (), "not translated"),
        ("Hallo %(nmae)s", (), "other placeholders"),
        ("Hallo %(name)s", ("fuzzy",), "uncertain"),
    ],
)
def test_a_bad_translation_is_named(translation, flags, fault):
    catalog = Catalog(locale="de")
    catalog.add("Hello %(name)s", translation, flags=flags)
    assert [text for text in faults_of(catalog, {"Hello %(name)s": "Hello %(name)s"}) if fault in text]


def test_a_left_over_translation_is_named():
    catalog = Catalog(locale="de")
    catalog.add("Gone", "Fort")
    assert list(faults_of(catalog, {})) == ["left over: 'Gone'"]


def test_a_plural_without_all_its_forms_is_missing():
    catalog = Catalog(locale="de")
    catalog.add(("one", "many"), ("eins", ""))
    assert missing(catalog, {"one": ("one", "many")}) == [("one", "many")]
