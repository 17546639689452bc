"""Links between the entries of a Bundle: which entry an address means, and where a transaction replaces addresses.

Source: FHIR R4, bundle.html, "resolving references in Bundles"; http.html, "transaction processing rules": links are
replaced in references, in elements of type uri, url, oid and uuid, and in `<a href>` and `<img src>` of the narrative.
Elements of type canonical, texts and the `url` of an extension stay as they are.
"""

import functools
import html
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from typing import Any, NamedTuple
from uuid import UUID

import msgspec

from esante.core.fhir.definitions import load_definitions
from esante.core.fhir.fhirpath import resource_types
from esante.core.fhir.json_codec import (
    NotJson,
    ObjectWithRepeatedNames,
    decode,
    decode_marking_repeats,
    encode,
    may_repeat_names,
)
from esante.core.fhir.rest.bundle_parser import BundleEntry
from esante.core.types import Json

_RESTFUL = re.compile(
    r"(https?://(?:[^/?#\s]+/)+)?([A-Z][A-Za-z]+)/([A-Za-z0-9\-.]{1,64})(?:/_history/([A-Za-z0-9\-.]{1,64}))?"
)
"""The address of a resource on a server: its base, type, id and version."""
_CONDITIONAL = re.compile(r"([A-Z][A-Za-z]+)\?(.+)", re.DOTALL)
_REFERENCE, _NARRATIVE = "reference", "narrative"
_LINK_TYPES = frozenset({"uri", "url", "oid", "uuid"})
_LEAVES = frozenset({_REFERENCE, _NARRATIVE, *_LINK_TYPES})
_ANY_RESOURCE = frozenset({"Resource", "DomainResource"})
_TAG = re.compile(r"""<(a|img)(?=\s)(?:[^<>"']|"[^"<]*"|'[^'<]*')*+>""")
"""A tag that may have a link. No value of an attribute contains `<` (XML 1.0, 2.3)."""
_UNPARSED = re.compile(r"<!--|<!\[CDATA\[")
_UNPARSED_ENDS = {"<!--": "-->", "<![CDATA[": "]]>"}
"""Where parts of XML without tags begin and end."""
_ATTRIBUTE = re.compile(r"""(\s([\w:.\-]+)\s*=\s*)("[^"]*"|'[^']*')""")
_LINK_ATTRIBUTES = {"a": "href", "img": "src"}


class LinkTarget(NamedTuple):
    """What an address is replaced by: the reference to a resource, and the resource's own key."""

    reference: str
    key: UUID

    def of_type(self, type_: str) -> str:
        """Return the address as an element of a type holds it; those of type uuid and oid hold the key alone."""
        match type_:
            case "uuid":
                return self.key.urn
            case "oid":
                return f"urn:oid:2.25.{self.key.int}"  # the identifier of a UUID (ITU-T X.667, 7)
        return self.reference


class _Meta(msgspec.Struct):
    versionId: str = ""


class _Versioned(msgspec.Struct):
    meta: _Meta = msgspec.field(default_factory=_Meta)


_version_decoder = msgspec.json.Decoder(_Versioned)


class EntryAddresses:
    """The entries of a Bundle by their addresses."""

    def __init__(self, items: Iterable[BundleEntry]) -> None:
        self._by_url = {item.full_url: item for item in items if item.full_url}
        self.only_temporary = all(url.startswith("urn:") for url in self._by_url)
        """Whether every entry has an address that is none of a server: urn:uuid:…, for example."""

    @property
    def urls(self) -> Collection[str]:
        """The addresses of the entries."""
        return self._by_url.keys()

    def find(self, address: str, full_url: str) -> int | None:
        """Return the index of the entry that an address in the entry `full_url` means; None for none.

        A relative address is one of the server of that entry. One with a version means the entry with that version.
        """
        if (found := self._by_url.get(address)) is not None:
            return found.index
        if self.only_temporary or (match := _RESTFUL.fullmatch(address)) is None:
            return None
        base, type_, id_, version = match.groups()
        if base is None:
            own = _RESTFUL.fullmatch(full_url)
            base = own and own[1]
        found = self._by_url.get(f"{base}{type_}/{id_}") if base else None
        if found is None or (version is not None and version != _version_of(found)):
            return None
        return found.index


def _version_of(item: BundleEntry) -> str:
    """Return the version of the resource of an entry; "" where it names none."""
    try:
        return _version_decoder.decode(item.body).meta.versionId
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return ""


class LinkReplacer:
    """Replaces the addresses of entries, and searches in references, by the references to the resources meant.

    `targets` are by the index of the entry, `searches` by the conditional reference ("Practitioner?identifier=…").
    """

    def __init__(
        self, addresses: EntryAddresses, targets: Mapping[int, LinkTarget], searches: Mapping[str, str] | None = None
    ) -> None:
        self._addresses, self._targets, self._searches = addresses, targets, searches or {}
        self._possible = {*addresses.urls, *self._searches} if addresses.only_temporary else None
        """All texts that may be links; None where there are too many notations of one, such as relative ones."""

    def replace_in(self, body: bytes, full_url: str) -> bytes:
        """Return the JSON of the resource of the entry `full_url` with its links replaced.

        What is not valid JSON, or has a name twice in an object, is returned as it is; a check refuses it.
        """
        if not self._may_link(body):
            return body
        try:
            resource = decode(body)
            if not isinstance(resource, dict) or not self.replace_links(resource, full_url):
                return body
            replaced = encode(resource)
            return body if may_repeat_names(body, replaced) and _repeats_names(body) else replaced
        except (NotJson, RecursionError):
            return body

    def _may_link(self, body: bytes) -> bool:
        """Return whether JSON may have a link. An escape may stand for any character."""
        if b"\\" in body or not self._addresses.only_temporary:
            return True
        return b"urn:" in body or bool(self._searches and b"?" in body)

    def replace_links(self, resource: Json, full_url: str = "") -> bool:
        """Replace the links within a resource of the entry `full_url`; return whether there were any."""
        changed = False

        def replacement(address: str, kind: str) -> str:
            nonlocal changed
            found = self._searches.get(address) if kind == _REFERENCE else None
            if found is None:
                index = self._addresses.find(address, full_url)
                target = self._targets.get(index) if index is not None else None
                if target is None:
                    return address
                found = target.of_type(kind)
            changed = True
            return found

        # Nearly all links of a resource are none of the Bundle: codes have systems, for example.
        possible = self._possible
        for holder, place, kind in _iterate_links(resource):
            text = holder[place]
            if kind == _NARRATIVE:
                holder[place] = _replace_in_narrative(text, functools.partial(replacement, kind=kind))
            elif possible is None or text in possible:
                holder[place] = replacement(text, kind)
        return changed


def find_conditional_references(body: bytes) -> list[tuple[str, str]]:
    """Return the conditional references of a resource in JSON: the type and the search of each."""
    if b"?" not in body and b"\\u" not in body:
        return []
    try:
        resource = decode(body)
    except NotJson:
        return []
    if not isinstance(resource, dict):
        return []
    found = []
    for holder, place, kind in _iterate_links(resource):
        match = _CONDITIONAL.fullmatch(holder[place]) if kind == _REFERENCE else None
        if match is not None and match[1] in resource_types():
            found.append((match[1], match[2]))
    return found


def _iterate_links(resource: Json) -> Iterator[tuple[Any, Any, str]]:
    """Yield where a resource has links: the object or list, the name or index in it, and the kind of link.

    The kind is the type of the element, `_REFERENCE` or `_NARRATIVE`. The value there may be replaced.
    """
    waiting: list[tuple[Json, str]] = [(resource, "Resource")]
    while waiting:
        value, type_ = waiting.pop()
        if type_ in _ANY_RESOURCE:
            type_ = value.get("resourceType", "")
        get_kind = (_linking_properties(type_) if isinstance(type_, str) else {}).get
        for name, inner in value.items():
            if (kind := get_kind(name)) is None:
                continue
            if isinstance(inner, dict):
                if kind not in _LEAVES:
                    waiting.append((inner, kind))
            elif isinstance(inner, list):
                if kind not in _LEAVES:
                    waiting += [(each, kind) for each in inner if isinstance(each, dict)]
                else:
                    yield from ((inner, index, kind) for index, each in enumerate(inner) if isinstance(each, str))
            elif kind in _LEAVES and isinstance(inner, str):
                yield value, name, kind


@functools.lru_cache(4096)
def _linking_properties(type_: str) -> Mapping[str, str]:
    """Return the properties of a type that are links (with the kind), or contain some (with the type)."""
    types = load_definitions().types
    found: dict[str, str] = {}
    for element in types[type_].elements if type_ in types else ():
        for name, inner in element.json_names().items():
            if (type_, name) == ("Reference", "reference"):
                found[name] = _REFERENCE
            elif (type_, name) == ("Narrative", "div"):
                found[name] = _NARRATIVE
            elif inner in types or (inner in _LINK_TYPES and not element.plain):
                found[name] = inner
            if inner not in types and not element.plain:
                found[f"_{name}"] = "Element"  # the extensions of a primitive
    return found


def _replace_in_narrative(div: str, replacement: Callable[[str], str]) -> str:
    """Return XHTML in which the addresses of links and pictures are replaced; the rest stays as it is."""
    if "href" not in div and "src" not in div:
        return div

    def replace_in_tag(tag: re.Match[str]) -> str:
        wanted = _LINK_ATTRIBUTES[tag[1]]

        def replace_value(attribute: re.Match[str]) -> str:
            before, name, quoted = attribute.groups()
            address = html.unescape(quoted[1:-1])
            if name != wanted or (replaced := replacement(address)) == address:
                return attribute[0]
            return f'{before}"{html.escape(replaced)}"'

        return _ATTRIBUTE.sub(replace_value, tag[0])

    parts, at = [], 0
    while (begin := _UNPARSED.search(div, at)) is not None:
        end = div.find(_UNPARSED_ENDS[begin[0]], begin.end())
        parts += [_TAG.sub(replace_in_tag, div[at : begin.start()]), div[begin.start() : end if end >= 0 else None]]
        if end < 0:
            return "".join(parts)
        at = end
    return "".join([*parts, _TAG.sub(replace_in_tag, div[at:])])


def _repeats_names(body: bytes) -> bool:
    """Return whether an object in JSON has a name twice."""
    waiting = [decode_marking_repeats(body)]
    while waiting:
        match waiting.pop():
            case ObjectWithRepeatedNames():
                return True
            case dict() as value:
                waiting += value.values()
            case list() as values:
                waiting += values
    return False
