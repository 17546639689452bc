"""A document without its restricted lines, as if it had never held them (Regulation (EU) 2025/327, article 8).

What others are given must not tell that something is missing: no empty place, no word for "withheld", no text that was
written when the lines were there.
"""

import re
import unicodedata
from collections.abc import Collection, Iterable, Iterator
from typing import Any

from esante.core.fhir.narrative import render_section
from esante.core.fhir.view import ReferenceLibrary
from esante.core.types import Json
from esante.services.record.indexing.bundle_index import CODE_ELEMENTS
from esante.services.record.restrictions.chosen_lines import ChosenSection, DocumentLines, addresses_in

_FREE_TEXT = frozenset({"text", "note", "conclusion", "conclusionCode", "presentedForm", "comment", "summary"})
"""Elements in which a resource may speak of what it referred to."""
_EMBEDDING = frozenset({"Binary", "DocumentReference", "Media"})
"""Types that hold whole files: a rendition of the document, in which no line can be left out."""
_REQUIRED_SECTIONS = frozenset({"11450-4", "48765-2", "10160-0"})
"""LOINC codes of the sections that a patient summary has even when they are empty (IPS 2.0, Composition)."""
_NO_INFORMATION: Json = {
    "coding": [
        {
            "system": "http://terminology.hl7.org/CodeSystem/list-empty-reason",
            "code": "unavailable",
            "display": "Unavailable",
        }
    ]
}
_SHORTEST_WORD = 4
"""Characters of the shortest word by which a text is taken to speak of a line; shorter ones in capitals count too."""
_WORD = re.compile(r"[^\W_]+")
_GONE = object()
"""The place of a value that goes."""


def reduce_document(bundle: Json, tokens: Collection[str]) -> Json:
    """Return a document Bundle without the lines and sections that are named by tokens.

    - Resources that are restricted, and those that only they referred to, are left out; references to them too.
    - The text of a section that lost a line, or that has words of one, is written anew from what is left. A section
      without anything left goes, unless its kind of document must have it: then it says that nothing is known.
    - Files within the document go, and so do the free texts of what referred to a line: they may repeat it.
    - A signature of the whole goes, since it is of other bytes.

    The Bundle that is handed in stays as it is.
    """
    return _Reduction(bundle, tokens).result()


def texts_with_words(bundle: Json, tokens: Collection[str]) -> list[str]:
    """Return the titles of sections without entries, whose texts stay and have words of the restricted lines."""
    lines = DocumentLines(bundle)
    words = _words_of(lines, lines.covered(tokens))
    restricted = {inner.token for one in lines.all_sections() if one.token in tokens for inner in one.with_inner()}
    return [
        str(one.section.get("title") or "")
        for one in lines.all_sections()
        if not one.entries and one.token not in restricted and _has_words(one.section.get("text"), words)
    ]


class _Reduction:
    def __init__(self, bundle: Json, tokens: Collection[str]) -> None:
        self._bundle, self._tokens = bundle, tokens
        self._lines = DocumentLines(bundle)
        self._covered = self._lines.covered(tokens)
        self._words = _words_of(self._lines, self._covered)
        files = {
            index
            for index, resource in enumerate(self._lines.resources)
            if resource["resourceType"] in _EMBEDDING and index not in self._lines.header and _holds_file(resource)
        }
        self._gone = self._covered | files
        self._names = _identifiers_of(self._lines, self._covered)
        self._codes = {pair for index in self._covered for pair in codes_of(self._lines.resources[index])}

    def result(self) -> Json:
        kept = {
            index: self._cut(index) for index in range(len(self._lines.resources)) if index and index not in self._gone
        }
        composition, rewritten = self._composition()
        kept[0] = composition
        before = self._reachable(dict(enumerate(self._lines.resources)), ())
        reachable = self._reachable(kept, kept.keys() - before)
        entries, index = [], -1
        for entry in self._bundle["entry"]:
            if "resource" not in entry:
                entries.append(entry)
                continue
            index += 1
            if index in reachable:
                entries.append(entry | {"resource": kept[index]})
        made = {name: value for name, value in self._bundle.items() if name not in ("entry", "signature")}
        made["entry"] = entries
        return _with_texts(made, composition, rewritten)

    def _reachable(self, resources: dict[int, Json], further: Iterable[int]) -> set[int]:
        """Return what the Composition, and further resources, refer to, directly or through others."""
        found: set[int] = set()
        pending = [0, *self._lines.header, *further]
        while pending:
            index = pending.pop()
            if index in found or index not in resources:
                continue
            found.add(index)
            targets = (self._lines.target(address, index) for address in addresses_in(resources[index]))
            pending += [target for target in targets if target is not None]
        return found

    # The Composition

    def _composition(self) -> tuple[Json, list[str]]:
        """Return the Composition without the lines, and the paths of its sections that get a new text."""
        rewritten: list[str] = []
        header = {name: value for name, value in self._lines.composition.items() if name not in ("section", "text")}
        made: Json = self._without(header, 0)[0]
        sections = [one for section in self._lines.sections for one in self._section(section, rewritten)]
        if sections:
            made["section"] = sections
        return made, rewritten

    def _section(self, chosen: ChosenSection, rewritten: list[str]) -> Iterator[Json]:
        if chosen.token in self._tokens:
            if (code := _required_code(chosen.section)) is None:
                return
            entries: list[Json] = []
            inner: list[Json] = []
        else:
            entries = [one for one in chosen.section.get("entry") or () if not self._is_gone(one, 0)]
            inner = [one for section in chosen.sections for one in self._section(section, rewritten)]
            code = _required_code(chosen.section)
        listed = chosen.section.get("entry") or ()
        lost = len(entries) < len(listed) or chosen.token in self._tokens
        made = {name: value for name, value in chosen.section.items() if name not in ("entry", "section")}
        made = self._without(made, 0)[0]
        if lost and not entries and not inner:
            if code is None:
                return
            made["emptyReason"] = _NO_INFORMATION
        if entries:
            made["entry"] = entries
        if inner:
            made["section"] = inner
        if lost or (entries and _has_words(made.get("text"), self._words)):
            made["text"] = None
            rewritten.append(chosen.path)
        yield made

    # The other resources

    def _cut(self, index: int) -> Json:
        """Return a resource without what refers to a line, and without files of its own."""
        made, refers = self._without(self._lines.resources[index], index)
        made = _without_files(made)
        if refers:
            return {name: value for name, value in made.items() if name not in _FREE_TEXT}
        if _has_words(made.get("text"), self._words):
            return {name: value for name, value in made.items() if name != "text"}
        return made

    def _without(self, resource: Json, index: int) -> tuple[Json, bool]:
        """Return a resource without its references to what is gone, and whether it referred to a line.

        With a reference goes the item of a list that holds it; a reason that has the code of a line goes as well.
        """
        refers = False

        def cut(value: Any, *, is_own_code: bool = False) -> Any:
            nonlocal refers
            if isinstance(value, list):
                left = [made for item in value if (made := cut(item)) is not _GONE]
                return left if left or not value else _GONE
            if not isinstance(value, dict):
                return value
            if self._is_gone(value, index) or (not is_own_code and self._has_code(value)):
                refers = refers or self._is_covered(value, index) or "coding" in value
                return _GONE
            made = {}
            for name, item in value.items():
                is_whole = value is resource or "resourceType" in value
                kept = cut(item, is_own_code=is_whole and (name in CODE_ELEMENTS or index == 0))
                if kept is not _GONE:
                    made[name] = kept
                elif not is_whole and not isinstance(item, list):
                    return _GONE
            return made

        return cut(resource), refers

    def _has_code(self, value: Json) -> bool:
        codings = value.get("coding")
        return isinstance(codings, list) and any(_coding(one) in self._codes for one in codings)

    def _is_gone(self, value: Json, index: int) -> bool:
        return self._is_covered(value, index) or self._target_of(value, index) in self._gone

    def _is_covered(self, value: Json, index: int) -> bool:
        """Return whether a value is a Reference to a line, by its address or by an identifier of it."""
        if self._target_of(value, index) in self._covered:
            return True
        identifier = value.get("identifier")
        is_reference = value.keys() <= {"reference", "type", "identifier", "display", "id", "extension"}
        return is_reference and isinstance(identifier, dict) and _pair(identifier) in self._names

    def _target_of(self, value: Json, index: int) -> int | None:
        """Return the number of what a Reference refers to, also by an address that only ends like one."""
        address = value.get("reference")
        if not isinstance(address, str) or address.startswith("#"):
            return None
        target = self._lines.target(address, index)
        if target is None and "/" in address:
            target = self._lines.target("/".join(address.partition("/_history/")[0].split("/")[-2:]), index)
        return target


def _with_texts(bundle: Json, composition: Json, rewritten: Collection[str]) -> Json:
    """Fill in the texts of sections of a Composition, which is one of the resources of the Bundle."""
    library = ReferenceLibrary(bundle)
    language = str(composition.get("language") or bundle.get("language") or "en")

    def fill(sections: list[Json]) -> None:
        for section in sections:
            if "text" in section and section["text"] is None and section.get("section") and not section.get("entry"):
                del section["text"]
            elif "text" in section and section["text"] is None:
                found = library.find_all(section.get("entry"))
                div = render_section(str(section.get("title", "")), found, library, language)
                section["text"] = {"status": "generated", "div": div}
            fill(section.get("section") or [])

    if rewritten:
        fill(composition.get("section") or [])
    return bundle


def _required_code(section: Json) -> str | None:
    """Return the code of a section that its kind of document must have; None for another section."""
    codes = (coding.get("code") for coding in (section.get("code") or {}).get("coding") or ())
    return next((code for code in codes if code in _REQUIRED_SECTIONS), None)


def _identifiers_of(lines: DocumentLines, covered: Collection[int]) -> set[tuple[str, str]]:
    """Return the identifiers that lines have and nothing else in the document has."""
    found: set[tuple[str, str]] = set()
    others: set[tuple[str, str]] = set()
    for index, resource in enumerate(lines.resources):
        own = resource.get("identifier") or ()
        pairs = {_pair(one) for one in ([own] if isinstance(own, dict) else own)}
        if index in covered:
            found |= pairs
        else:
            others |= pairs
    return found - others - {("", "")}


def _pair(identifier: Json) -> tuple[str, str]:
    return str(identifier.get("system", "")), str(identifier.get("value", ""))


def _holds_file(resource: Json) -> bool:
    return resource["resourceType"] == "Binary" or any(_files_in(resource))


def _files_in(value: Any) -> Iterator[Json]:
    if isinstance(value, list):
        for item in value:
            yield from _files_in(item)
    elif isinstance(value, dict):
        is_series = "dimensions" in value  # SampledData
        if (isinstance(value.get("data"), str) and not is_series) or ("contentType" in value and "url" in value):
            yield value
        for item in value.values():
            yield from _files_in(item)


def _without_files(resource: Json) -> Json:
    """Return a resource without the renditions that it holds; photographs of persons stay."""
    return {name: value for name, value in resource.items() if name == "photo" or not any(_files_in(value))}


def codes_of(resource: Json) -> set[tuple[str, str]]:
    """Return the codes that say what a resource is about, as (system, code)."""
    concepts = (resource.get(name) for name in CODE_ELEMENTS)
    codings = (one for concept in concepts if isinstance(concept, dict) for one in concept.get("coding") or ())
    return {_coding(one) for one in codings} - {("", "")}


def _coding(coding: Any) -> tuple[str, str]:
    return (str(coding.get("system", "")), str(coding.get("code", ""))) if isinstance(coding, dict) else ("", "")


def _words_of(lines: DocumentLines, covered: Collection[int]) -> set[str]:
    """Return the words, folded, that name what lines are about, and their codes."""
    words: set[str] = set()
    for index in covered:
        words |= {code.casefold() for _, code in codes_of(lines.resources[index])}
        for name in (*CODE_ELEMENTS, "medicationReference"):
            concept = lines.resources[index].get(name)
            if isinstance(concept, dict):
                texts = [concept.get("text"), concept.get("display")]
                texts += [coding.get("display") for coding in concept.get("coding") or ()]
                named = (word for text in texts if isinstance(text, str) for word in _words_in(text))
                words |= {_fold(word) for word in named if len(word) >= _SHORTEST_WORD or word.isupper()}
    return words


def _has_words(narrative: Any, words: Collection[str]) -> bool:
    if not words or not isinstance(narrative, dict):
        return False
    return any(_fold(word) in words for word in _words_in(str(narrative.get("div", ""))))


def _words_in(text: str) -> list[str]:
    return _WORD.findall(unicodedata.normalize("NFC", text))


def _fold(word: str) -> str:
    """Return a word without case and accents."""
    decomposed = unicodedata.normalize("NFKD", word).casefold()
    return "".join(char for char in decomposed if not unicodedata.combining(char))
