"""Languages: gettext catalogues (one .po file per language, read on first use), dates and times by Babel."""

from collections.abc import Callable
from datetime import date, datetime, timedelta
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable

from babel import dates
from babel.messages.pofile import read_po

from esante.core.time_zone import time_zone

LANGUAGES = {"fr": "Français", "de": "Deutsch", "en": "English", "lb": "Lëtzebuergesch"}
DEFAULT_LANGUAGE = "fr"


_PLURAL: dict[str, Callable[[int], bool]] = {"fr": lambda number: number > 1}
"""Whether a number takes the plural, where the rule is not "all but 1"."""


def N_(text: str) -> str:
    """Mark a text for translation where it is declared; it is translated where it is shown."""
    return text


class Translator:
    """The texts of one language; a text without translation is returned unchanged."""

    def __init__(self, language: str, catalog: dict[str, str | tuple[str, ...]]) -> None:
        self.language = language
        self._catalog = catalog
        self._plural: Callable[[int], bool] = _PLURAL.get(language, lambda number: number != 1)

    def gettext(self, text: str) -> str:
        """Return the text in this language."""
        found = self._catalog.get(text) or text
        return found if isinstance(found, str) else found[0]

    def ngettext(self, one: str, many: str, number: int) -> str:
        """Return the text for a number of things: the translation of `one` or of `many`."""
        found = self._catalog.get(one)
        if not isinstance(found, tuple) or not all(found):
            return one if number == 1 else many
        return found[self._plural(number)]


_locales: list[Traversable] = [files("esante.core.web") / "locale"]


def register_locale(folder: Traversable) -> None:
    """Use the catalogues in a folder as well: `<language>/LC_MESSAGES/messages.po`."""
    _locales.append(folder)
    translator.cache_clear()


@cache
def translator(language: str) -> Translator:
    """Return the translator of a language of `LANGUAGES`."""
    texts: dict[str, str | tuple[str, ...]] = {}
    for folder in _locales:
        path = folder / language / "LC_MESSAGES" / "messages.po"
        if path.is_file():
            texts |= _read_catalogue(path, language)
    return Translator(language, texts)


def _read_catalogue(path: Traversable, language: str) -> dict[str, str | tuple[str, ...]]:
    with path.open("rb") as file:
        catalog = read_po(file, locale=language)
    texts: dict[str, str | tuple[str, ...]] = {}
    for message in catalog:
        if message.id and message.string and not message.fuzzy:
            key = message.id if isinstance(message.id, str) else message.id[0]
            texts[key] = message.string if isinstance(message.string, str) else tuple(message.string)
    return texts


_LOCALES = {"en": "en_GB"}
"""The locale for the dates of a language, where its default is not the European one."""


def show_date(value: date | datetime, language: str) -> str:
    """Return a day in the long form of a language; a datetime counts in the server's time zone."""
    if isinstance(value, datetime):
        value = value.astimezone(time_zone())
    return dates.format_date(value, "long", locale=_LOCALES.get(language, language))


def show_month(value: date, language: str) -> str:
    """Return the month of a day, in short."""
    return dates.format_skeleton("yMMM", value, locale=_LOCALES.get(language, language))


def show_datetime(value: datetime, language: str) -> str:
    """Return a moment as day and time, in the server's time zone."""
    clock = dates.format_time(value, "HH:mm", tzinfo=time_zone(), locale=language)
    return f"{show_date(value, language)}, {clock}"


def show_span(value: timedelta, language: str) -> str:
    """Return a duration, rounded to its largest unit."""
    return dates.format_timedelta(value, granularity="minute", threshold=1.2, locale=language)
