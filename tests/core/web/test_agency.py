"""The agency that pages and messages name: its settings, and its name in a sentence."""

import pytest

from esante.core.web import Agency, current_agency, template_environment, translator, use_agency
from esante.settings import PerLanguage, Settings, read_settings

NAMED = Agency(
    agency_name=PerLanguage("Centre & Fils"),
    agency_article=PerLanguage("fr=le; de=das; lb=d’"),
    helpdesk_mail="help@centre.example",
    helpdesk_phone="",
)
REVIEWED = "An emergency access was reviewed by %(agency)s. Conclusion: %(verdict)s."


@pytest.fixture
def named():
    """The agency of this process, for one test."""
    before = current_agency()
    use_agency(NAMED)
    yield NAMED
    use_agency(before)


@pytest.mark.parametrize(
    ("language", "name"),
    [("fr", "le Centre & Fils"), ("de", "das Centre & Fils"), ("en", "Centre & Fils"), ("lb", "d’Centre & Fils")],
)
def test_name_in_a_sentence_has_the_article_of_the_language(language, name):
    assert NAMED.in_sentence(language) == name


def test_message_names_the_agency_of_the_settings(named):
    text = translator("de").gettext(REVIEWED) % {"verdict": "x"}
    assert "das Centre & Fils" in text
    assert "Centre" in translator("xx").gettext(REVIEWED)


def test_page_escapes_the_name_of_the_agency(named):
    template = template_environment("fr").from_string("{{ _(text, verdict='<b>') }}")
    assert "par le Centre &amp; Fils. Conclusion\u202f: &lt;b&gt;." in template.render(text=REVIEWED)


def test_settings_of_the_environment_are_taken(monkeypatch):
    monkeypatch.setenv("ESANTE_AGENCY_NAME", "fr=Agence du Nord; de=Nordagentur")
    found = read_settings(Agency)
    assert (found.agency_name.of("fr"), found.agency_name.of("de"), found.agency_name.of("en")) == (
        "Agence du Nord",
        "Nordagentur",
        "",
    )
    assert not found.is_fictitious
    passed_on = Settings(of_services=(found,)).environ()
    assert passed_on["ESANTE_AGENCY_NAME"] == "fr=Agence du Nord; de=Nordagentur"


def test_default_agency_says_that_it_is_fictitious():
    assert Agency().is_fictitious
    assert "Fictive" in Agency().in_sentence("en")
    assert Agency().helpdesk_mail.endswith(".example")


def test_helpdesk_on_one_line_leaves_out_what_is_missing():
    assert NAMED.helpdesk == "help@centre.example"


def test_percent_sign_is_refused():
    with pytest.raises(ValueError, match="ESANTE_AGENCY_NAME"):
        Agency(agency_name=PerLanguage("100 % Santé"))
