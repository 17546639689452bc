"""Languages: gettext catalogues (one .po file per language, read on first use), dates and times by Babel.

A text that means two things has a context for each (gettext's msgctxt): `P_` in Python, `pgettext` in templates.
"""

from collections.abc import Callable, Mapping
from datetime import date, datetime, timedelta
from decimal import Decimal
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable

from babel import dates, numbers, units
from babel.messages.pofile import read_po
from markupsafe import escape

from esante.core.time_zone import time_zone
from esante.core.web.agency import current_agency

LANGUAGES = {"fr": "Français", "de": "Deutsch", "en": "English", "lb": "Lëtzebuergesch"}
DEFAULT_LANGUAGE = "fr"


_PLURAL: dict[str, Callable[[int], bool]] = {"fr": lambda number: number > 1}
"""Whether a number takes the plural, where the rule is not "all but 1"."""


_CONTEXT = "\x04"
"""Stands between a context and its text, as in the files of GNU gettext."""
_AGENCY = "%(agency)s"


def N_(text: str) -> str:
    """Mark a text for translation where it is declared; it is translated where it is shown."""
    return text


def P_(context: str, text: str) -> str:
    """Mark a text as `N_` does, in one of its meanings; return the msgid with the context."""
    return f"{context}{_CONTEXT}{text}"


class Translator:
    """The texts of one language; a text without translation is returned unchanged.

    `%(agency)s` in a text is the agency that runs the installation. `html`: the texts are HTML, as those of templates.
    """

    def __init__(self, language: str, catalog: Mapping[str, str | tuple[str, ...]], *, html: bool = False) -> None:
        self.language, self._catalog, self._html = language, catalog, html
        self._plural: Callable[[int], bool] = _PLURAL.get(language, lambda number: number != 1)

    def gettext(self, text: str) -> str:
        """Return the text in this language."""
        found = self._catalog.get(text) or text.rpartition(_CONTEXT)[2]
        return self._named(found if isinstance(found, str) else found[0])

    def pgettext(self, context: str, text: str) -> str:
        """Return the text in this language, in the meaning of a context."""
        return self.gettext(P_(context, text))

    def ngettext(self, one: str, many: str, number: int) -> str:
        """Return the text for a number of things: the translation of `one` or of `many`."""
        found = self._catalog.get(one)
        if not isinstance(found, tuple) or not all(found):
            return self._named(one if number == 1 else many)
        return self._named(found[self._plural(number)])

    def for_html(self) -> "Translator":
        """Return the same texts as HTML."""
        return Translator(self.language, self._catalog, html=True)

    def _named(self, text: str) -> str:
        if _AGENCY not in text:
            return text
        name = current_agency().in_sentence(self.language)
        return text.replace(_AGENCY, escape(name) if self._html else name)


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
            if message.context:
                key = P_(message.context, key)
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


def show_weekday(value: datetime, language: str) -> str:
    """Return the day of the week of a moment, in the server's time zone."""
    return str(dates.format_date(value.astimezone(time_zone()), "EEEE", locale=_LOCALES.get(language, language)))


def show_datetime(value: date | datetime, language: str) -> str:
    """Return a moment as day and time, in the server's time zone; a day has no time."""
    if not isinstance(value, datetime):
        return show_date(value, language)
    return f"{show_date(value, language)}, {show_clock(value)}"


def show_money(value: Decimal, language: str) -> str:
    """Return an amount in euros, with two decimals."""
    return str(numbers.format_currency(value, "EUR", locale=_LOCALES.get(language, language)))


def show_clock(value: datetime) -> str:
    """Return the time of day of a moment, in the server's time zone."""
    return f"{value.astimezone(time_zone()):%H:%M}"


def show_limit(value: timedelta, language: str) -> str:
    """Return how long something is kept or lasts at most, in its largest whole unit of years, days or hours."""
    years, days = round(value.days / 365.25), value / timedelta(days=1)
    if years and abs(years * 365.25 - days) < 1:
        return str(units.format_unit(years, "duration-year", locale=language))
    if value % timedelta(days=1):
        return str(units.format_unit(value / timedelta(hours=1), "duration-hour", locale=language))
    return str(units.format_unit(days, "duration-day", locale=language))


def show_span(value: timedelta, language: str) -> str:
    """Return a duration, rounded to its largest unit."""
    return dates.format_timedelta(value, granularity="minute", threshold=1.2, locale=language)
