"""Signs of another person in the text of a document's first page.

A text proves little: a difference is only what speaks of somebody else. That is a valid matricule of another person
where the person's own is not on the page, a birth date beside words such as "born" that is not theirs, and a name at
the place of the patient's that is not theirs. A page without text, or without such signs, says nothing.
"""

import re
import unicodedata
from collections.abc import Iterator, Sequence
from datetime import date
from itertools import chain, islice
from typing import NamedTuple

from esante.identity.directory import Person
from esante.services.record.identification import page_words
from esante.services.record.identification.comparison import Identifiers, has_name, is_matricule, matricule_system
from esante.services.record.identification.model import Comparison, Difference, PersonName, Trait
from esante.services.record.identification.names import forms, is_particle, name_words

MAX_TEXT = 10_000
"""Characters of a page that are looked at."""
_MOST_NAMES = 20
"""Names at the place of the patient's that are looked at."""
_NEAR_WORDS = 6
"""Words between the parts of a name on a page."""
_MOST_WORDS = 8
"""Words of a name."""
_AFTER = 60
"""Characters after a word about birth in which its date stands."""
_SHORTEST_NUMBER = 8
"""Characters of an identifier that is not found by chance."""

_SEPARATOR = "[ .\\-/\u00a0]?"
_MATRICULE = re.compile(
    rf"(?<!\d)((?:1[89]|20)\d\d{_SEPARATOR}\d\d{_SEPARATOR}\d\d{_SEPARATOR}\d{{3}}{_SEPARATOR}\d\d)(?!\d)"
)
_SEPARATORS = re.compile(r"[ .\-/\u00a0]")

# A pattern of folded text (see `page_words`).
_DATE = re.compile(
    r"(?P<iso>(\d{4})-(\d\d)-(\d\d)(?!\d))"
    r"|(?P<numeric>(\d{1,2}) ?[./-] ?(\d{1,2}) ?[./-] ?(\d{4}|\d\d)(?!\d))"
    r"|(?P<day_first>(\d{1,2})(?:er|\.|st|nd|rd|th)? (?:de )?([a-z]{3,9})\.?,? (?:de )?(\d{4})(?!\d))"
    r"|(?P<month_first>([a-z]{3,9})\.? (\d{1,2})(?:st|nd|rd|th)?,? (\d{4})(?!\d))"
)
_END_OF_NAME = re.compile(r"[\n\r\t,;:()|\d]|  ")
_NAME_WORD = re.compile(r"[^\W\d_][\w.'’-]*")


class _FoundDate(NamedTuple):
    """A date as it is written on the page, and the days that it may mean: year (also of two digits), month, day."""

    text: str
    days: tuple[tuple[int, int, int], ...]

    def may_be(self, day: date) -> bool:
        """Return whether the date may mean a day."""
        return any(
            (month, number) == (day.month, day.day) and year in (day.year, day.year % 100)
            for year, month, number in self.days
        )


def compare_page(person: Person | None, text: str, identifiers: Identifiers = ()) -> Comparison:
    """Return in what the text of a page differs from a person.

    `person` None: from somebody who is not known, who was looked up by these `identifiers` (see
    `comparison.compare_with_nobody`).
    """
    text = text[:MAX_TEXT]
    folded = _fold(text)
    own = {one.value for one in person.identifiers} if person else {value for _, value in identifiers}
    numbers, births = _other_matricules(text, own)[:1], list(_birth_dates(text, folded))
    if person and any(found.may_be(person.birth_date) for found in births):
        births = []
    days = [Difference(Trait.BIRTH_DATE, found.text) for found in births[:1]]
    name = _other_name(person, text, folded)
    if name is None and (numbers or days) and not (person and _is_named(person, name_words(text))):
        name = ""
    names = [Difference(Trait.NAME, name)] if name is not None else []
    return Comparison((*numbers, *names, *days))


def _other_matricules(text: str, own: set[str]) -> list[Difference]:
    """Return the valid matricules on a page as differences; none where a number of the person is there."""
    compact = _SEPARATORS.sub("", text)
    if any(len(value) >= _SHORTEST_NUMBER and value in compact for value in own):
        return []
    found = (_SEPARATORS.sub("", match[1]) for match in _MATRICULE.finditer(text))
    system = matricule_system()
    return [Difference(Trait.IDENTIFIER, value, severe=True) for value in found if is_matricule(system, value)]


def _birth_dates(text: str, folded: str) -> Iterator[_FoundDate]:
    """Yield the dates that stand beside words about birth."""
    for word in page_words.BIRTH.finditer(folded):
        after = folded[word.end() : word.end() + _AFTER]
        found = _DATE.search(after)
        if found and not any(char.isdigit() for char in after[: found.start()]) and (days := _days(found)):
            start = word.end() + found.start()
            yield _FoundDate(text[start : start + len(found[0])], days)


def _days(found: re.Match[str]) -> tuple[tuple[int, int, int], ...]:
    """Return the days that a date may mean, with the month before the day where both are possible."""
    parts = [part for part in found.groups()[1:] if part is not None and part != found[0]]
    match found.lastgroup:
        case "iso":
            year, month, day = map(int, parts)
            return ((year, month, day),)
        case "numeric":
            day, month, year = map(int, parts)
            return tuple((year, m, d) for m, d in ((month, day), (day, month)) if 1 <= m <= 12 and 1 <= d <= 31)
        case "day_first":
            number, name, year_text = parts
        case _:
            name, number, year_text = parts
    months = [index for index, starts in enumerate(page_words.MONTHS, 1) if name.startswith(starts)]
    return tuple((int(year_text), month, int(number)) for month in months)


def _other_name(person: Person | None, text: str, folded: str) -> str | None:
    """Return a name at the place of the patient's that is not the person's, or None."""
    names = list(islice(chain(_labelled_names(text, folded), _names_before_birth(text, folded)), _MOST_NAMES))
    if not names:
        return None
    if person is None:
        return names[0].whole
    if has_name(person, names) is not False or _is_named(person, name_words(text)):
        return None
    return names[0].whole


def _labelled_names(text: str, folded: str) -> Iterator[PersonName]:
    """Yield the names after labels such as "Patient:", and that of "Nom:" with "Prénom:"."""
    for label in page_words.PATIENT.finditer(folded):
        words = _name_after(text, label.end())
        if len(_significant(words)) > 1:
            yield PersonName(text=" ".join(words))
    family, given = page_words.FAMILY.search(folded), page_words.GIVEN.search(folded)
    if family and given:
        names = _name_after(text, family.end()), _name_after(text, given.end())
        if all(_significant(name) for name in names):
            yield PersonName(family=" ".join(names[0]), given=tuple(names[1]))


def _name_after(text: str, start: int) -> list[str]:
    """Return the words of the name that begins at a place; none where what stands there is no name."""
    value = text[start : start + 200].lstrip()
    words = _END_OF_NAME.split(value, maxsplit=1)[0].split()[:_MOST_WORDS]
    birth = next((index for index, word in enumerate(words) if page_words.BIRTH.match(_fold(word))), len(words))
    return words[:birth] if all(_may_be_name(word) for word in words[:birth]) else []


def _names_before_birth(text: str, folded: str) -> Iterator[PersonName]:
    """Yield the names that stand before words about birth: "Anna Weber, née le"."""
    for birth in page_words.BIRTH.finditer(folded):
        line = text[max(0, birth.start() - 100) : birth.start()].rpartition("\n")[2]
        words: list[str] = []
        for word in reversed(line.rstrip(" ,;(").split()[-_MOST_WORDS:]):
            if not _may_be_name(word.strip(",")):
                break
            words.insert(0, word.strip(","))
            if word.startswith(","):
                break
        if len(_significant(words)) > 1:
            yield PersonName(text=" ".join(words))


def _may_be_name(word: str) -> bool:
    """Return whether a word may be a part of a name: it begins with a capital letter, or is a particle."""
    return bool(_NAME_WORD.fullmatch(word)) and (word[0].isupper() or all(map(is_particle, name_words(word))))


def _significant(words: Sequence[str]) -> list[str]:
    """Return the words that tell one person from another."""
    return [word for word in name_words(" ".join(words)) if not is_particle(word) and len(word) > 1]


def _is_named(person: Person, words: Sequence[str]) -> bool:
    """Return whether the family name stands on a page near the first given name, or its initial right beside it."""
    family = forms(name_words(person.family))
    given = name_words(person.given[0]) if person.given else []
    wanted = {*given[:1], "".join(given)}
    for place, word in enumerate(words):
        runs = {word, "".join(words[place : place + 2]), "".join(words[place : place + 3])}
        if family.isdisjoint(runs):
            continue
        near = words[max(0, place - _NEAR_WORDS) : place + _NEAR_WORDS]
        beside = {*words[max(0, place - 1) : place], *words[place + 1 : place + 2]}
        if not given or not wanted.isdisjoint((*near, *forms(near))) or given[0][0] in beside:
            return True
    return False


def _fold(text: str) -> str:
    """Return a text without accents and capital letters, each character at its place."""
    return "".join(unicodedata.normalize("NFKD", char)[:1].lower()[:1] or char for char in text)
