"""Transcoding of a clinical document to the pivot and translation of its displays, with an account of every code.

Every element of the document is visited; no list of paths decides what is coded. Where code or display change, the
former ones go into a `translation` below the element, and the translations that it had go below that one: the chain
from the present code to the first is kept (MyHealth@EU, semantic transformation). The narrative is not touched, nor is
`languageCode`, which states the language of the narrative.
"""

import copy
import re
from typing import Any

from lxml import etree

from esante.services.exchange.cda import TYPE, V3, Paths, local_name, read_checked
from esante.services.exchange.terminology import Code, CodeCatalogue, name_of, oid_of
from esante.services.exchange.translation.model import CodedElement, Outcome, Translation

_TRANSLATION = f"{{{V3}}}translation"
_TEXT = f"{{{V3}}}text"
_SECTION = f"{{{V3}}}section"
_CODED_TYPES = {"CD", "CE", "CV", "CO", "CS", "EIVL.event", "PQR"}
_MOVED = ("nullFlavor", "code", "codeSystem", "codeSystemName", "codeSystemVersion", "displayName")
_OID = re.compile(r"[0-2](\.(0|[1-9]\d*))+")
_UUID = re.compile(r"[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}")
_LANGUAGE = re.compile(r"[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*")


def translate(data: bytes, language: str, catalogue: CodeCatalogue) -> Translation:
    """Return a document with its codes in the pivot and its displays in a language.

    `language`: a BCP 47 tag, such as fr or fr-LU. Raises: `NotUsable` for bytes that are no usable CDA; ValueError for
    a language that is no tag.
    """
    if not _LANGUAGE.fullmatch(language):
        raise ValueError(f"{language!r} is no language tag: write fr or fr-LU")
    original = read_checked(data)
    root = copy.deepcopy(original)
    translator = _Translator(catalogue, language)
    for element in coded_elements(root):
        translator.take(element)
    document = etree.tostring(root, encoding="UTF-8", xml_declaration=True)
    return Translation(document, language, translator.accounts(original))


def coded_elements(root: Any) -> list[Any]:
    """Return the coded elements of a document, in its order."""
    return [element for element in _outside_narrative(root) if _is_coded(element)]


def _outside_narrative(root: Any) -> list[Any]:
    """Return the elements in document order, without those in the narrative of sections."""
    found, waiting = [], [root]
    while waiting:
        element = waiting.pop()
        found.append(element)
        if not (element.tag == _TEXT and element.getparent().tag == _SECTION):
            waiting.extend(reversed(element))
    return found


def _is_coded(element: Any) -> bool:
    """Whether an element is coded: it has a code or a code system, or is of a coded type and without a value."""
    attributes = element.attrib
    if "code" in attributes or "codeSystem" in attributes:
        return True
    if "nullFlavor" not in attributes:
        return False
    kind = attributes.get(TYPE)
    if kind is not None:
        return kind.rpartition(":")[2] in _CODED_TYPES
    name = local_name(element)
    return name == "code" or (name.endswith("Code") and name != "postalCode")


class _Translator:
    """Changes the coded elements of a copy one by one and notes what was done."""

    def __init__(self, catalogue: CodeCatalogue, language: str) -> None:
        self._catalogue, self._language = catalogue, language
        self._notes: list[tuple[Outcome, tuple[str, str, str], tuple[str, str, str], str, str]] = []
        self._members: dict[Code, list[str]] = {}
        for value_set in catalogue.value_sets.values():
            for code in value_set.codes:
                self._members.setdefault(code, []).append(value_set.oid)

    def take(self, element: Any) -> None:
        """Transcode and translate an element, and note it."""
        before, null_flavor = _form(element), element.get("nullFlavor", "")
        outcome, after, reason = self._decide(element, before)
        if after != before:
            self._change(element, after)
        self._notes.append((outcome, before, after, null_flavor, reason))

    def _decide(self, element: Any, before: tuple[str, str, str]) -> tuple[Outcome, tuple[str, str, str], str]:
        code, system, _ = before
        if element.tag.endswith("}translation"):
            return Outcome.FORMER, before, ""
        if not code:
            if "nullFlavor" in element.attrib:
                return self._of_null(element, before)
            return Outcome.ERROR, before, "the element has a code system and no code"
        if not code.strip() or code != code.strip():
            return Outcome.ERROR, before, "the code is blank or has blanks at its ends"
        if not system:
            return Outcome.FIXED, before, ""
        if not (_OID.fullmatch(system) or _UUID.fullmatch(system)):
            return Outcome.ERROR, before, f"the code system {system[:80]!r} is no OID"
        concept = (oid_of(system), code)
        if concept in self._catalogue.ambiguous:
            targets = ", ".join(code for _, code in self._catalogue.ambiguous[concept])
            return Outcome.ERROR, before, f"the catalogue transcodes it to several codes: {targets}"
        pivot = self._catalogue.pivots.get(concept, concept)
        if not self._catalogue.holds(pivot):
            return Outcome.NOT_IN_CATALOGUE, before, ""
        text = self._catalogue.designation(pivot, self._language)
        if pivot != concept:
            shown = text or self._catalogue.designation(pivot, "en") or ""
            reason = "" if text else f"no designation in {self._language}"
            return Outcome.TRANSCODED if text else Outcome.UNTRANSLATED, (pivot[1], pivot[0], shown), reason
        if text is None:
            return Outcome.UNTRANSLATED, before, f"no designation in {self._language}"
        return Outcome.TRANSLATED, (code, system, text), ""

    def _of_null(self, element: Any, before: tuple[str, str, str]) -> tuple[Outcome, tuple[str, str, str], str]:
        """Transcode an element that has its code in a translation only (nullFlavor OTH), where the catalogue can."""
        for child in element.iterchildren(_TRANSLATION):
            concept = (oid_of(child.get("codeSystem", "")), child.get("code", ""))
            pivot = self._catalogue.pivots.get(concept)
            if pivot is not None:
                text = self._catalogue.designation(pivot, self._language)
                shown = text or self._catalogue.designation(pivot, "en") or ""
                outcome = Outcome.TRANSCODED if text else Outcome.UNTRANSLATED
                return outcome, (pivot[1], pivot[0], shown), "" if text else f"no designation in {self._language}"
        return Outcome.NULL, before, ""

    def _change(self, element: Any, after: tuple[str, str, str]) -> None:
        """Give an element its new form; the former one goes into a translation, and its translations into that."""
        former = etree.Element(_TRANSLATION)
        for name in _MOVED:
            if name in element.attrib:
                former.set(name, element.attrib[name])
        for child in [child for child in element if child.tag.endswith("}translation")]:
            former.append(child)
        code, system, display = after
        element.attrib.pop("nullFlavor", None)
        if system != element.get("codeSystem"):
            element.attrib.pop("codeSystemName", None)
            element.attrib.pop("codeSystemVersion", None)
            if name_of(system):
                element.set("codeSystemName", name_of(system))
            if self._catalogue.versions.get(system):
                element.set("codeSystemVersion", self._catalogue.versions[system])
        element.set("code", code)
        element.set("codeSystem", system)
        if display:
            element.set("displayName", display)
        else:
            element.attrib.pop("displayName", None)
        former.tail = None
        element.append(former)

    def accounts(self, original: Any) -> list[CodedElement]:
        """Return the account of every element, at its place in the original document."""
        paths, found = Paths(), []
        sources = coded_elements(original)
        for source, (outcome, before, after, null_flavor, reason) in zip(sources, self._notes, strict=True):
            code = (oid_of(after[1]), after[0])
            found.append(
                CodedElement(
                    place=paths.of(source),
                    outcome=outcome,
                    before=before,
                    after=after,
                    null_flavor=null_flavor,
                    reason=reason,
                    value_sets=self._members.get(code, ()),
                )
            )
        return found


def _form(element: Any) -> tuple[str, str, str]:
    return element.get("code", ""), element.get("codeSystem", ""), element.get("displayName", "")
