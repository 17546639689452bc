"""Settings from the environment."""

import pytest

from esante.settings import PerLanguage, Settings


@pytest.mark.parametrize(
    ("text", "language", "shown"),
    [
        ("Agence", "fr", "Agence"),
        (" fr = l’Agence ; de=die Agence", "fr", "l’Agence"),
        (" fr = l’Agence ; de=die Agence", "de", "die Agence"),
        ("fr=l’Agence", "en", ""),
        ("https://authority.example/?lang=fr", "de", "https://authority.example/?lang=fr"),
        ("fr=https://authority.example/?x=y", "fr", "https://authority.example/?x=y"),
        ("", "fr", ""),
    ],
)
def test_text_per_language(text, language, shown):
    assert PerLanguage(text).of(language) == shown


def test_value_of_another_type_names_its_variable(monkeypatch):
    monkeypatch.setenv("ESANTE_PORT", "eight")
    with pytest.raises(ValueError, match="ESANTE_PORT"):
        Settings.from_environ()
