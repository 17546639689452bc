"""Find texts that people see and that the catalogs do not have, and words that the texts do not use.

Templates: text, and the attributes that are read out, outside `_()`. Python: what a page or a response says, without
`N_`. Data: sentences under keys that are neither texts of the catalogs nor in four languages. The words, and the terms
to use instead, are in `banned_terms.toml`.
"""

import ast
import re
import sys
import tomllib
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

from check_translations import DATA_KEYS, LANGUAGES, SOURCE, read
from jinja2 import Environment, nodes

TERMS = Path(__file__).with_name("banned_terms.toml")
TRANSLATING = {"_", "gettext", "ngettext", "pgettext"}
ATTRIBUTES = {"title", "aria-label", "placeholder", "alt", "data-label", "data-none"}
NAMES = {"esante", "Beispiel-App", "PDF", "CSV", "JSON", "JSON-LD", "Turtle", "API", "DCAT-AP", "HealthDCAT-AP"}
"""Names that are the same in every language."""
SPOKEN = {
    "Problem": (2, "title", "remedy"),
    "bad_request": (1, 2, "title", "remedy"),
    "NavigationItem": ("label",),
    "QuickAction": ("label", "hint"),
    "NoticeKind": ("text",),
    "KeptData": ("what", "why"),
    "Topic": ("title",),
}
"""Arguments, by place or by name, that are msgids."""
UNSEEN_KEYS = {"legal_source", "source", "sql", "fhirpath", "format", "standard", "in_rules", "requires", "help"}
"""Keys of data files whose sentences nobody sees but who reads the file, are names of standards, or are technical and
in English as the specifications are (of conformance kits; pages mark their language)."""
_WORD = re.compile(r"[^\W\d_]{2,}")
_SENTENCE = re.compile(r"[A-ZÀ-Ž][a-zà-ž]|[a-zà-ž]{2,} [a-zà-ž]{2,}")
_CODE = re.compile(r"[A-Z]\w*(?:\.\w+)+")
"""A place in a resource, such as Encounter.subject."""
_STATEMENT = re.compile(r"\{%\s*block (?:width|head) %\}.*?\{%\s*endblock\s*%\}|\{#.*?#\}|\{%.*?%\}", re.DOTALL)
_PLACEHOLDER = re.compile(r"%\(\w+\)s")
_EXPRESSION = re.compile(r"\{\{.*?\}\}", re.DOTALL)


def main() -> int:
    """Print what is wrong; 1 when something is."""
    faults = [*outside_catalogs(SOURCE), *banned_terms(tomllib.loads(TERMS.read_text("utf-8")))]
    print("\n".join(faults) or "No text outside the catalogs, and none with a word that is not used.")
    return 1 if faults else 0


def outside_catalogs(source: Path) -> Iterator[str]:
    """Every text of templates, Python and data files that no catalog has, with its file."""
    find = {".html": template_texts, ".py": python_texts, ".toml": data_texts}
    for path in sorted(source.rglob("*")):
        if path.suffix in find and "demo" not in path.parts[len(source.parts) : -1][:2]:
            for text in find[path.suffix](path.read_text("utf-8")):
                yield f"{path.relative_to(source)}: not in the catalogs: {text!r}"


def template_texts(template: str) -> Iterator[str]:
    """The texts of a template that are not translated."""
    yield from _Markup(_EXPRESSION.sub("", _STATEMENT.sub("", template))).found
    tree = Environment(extensions=["jinja2.ext.i18n"], autoescape=True).parse(template)
    yield from (text for text in _constants(tree) if _SENTENCE.search(text) and not _CODE.fullmatch(text))


class _Markup(HTMLParser):
    """Collects the texts and spoken attributes of markup without expressions."""

    def __init__(self, markup: str) -> None:
        super().__init__()
        self.found: list[str] = []
        self._code = 0
        self.feed(markup)
        self.close()

    def handle_data(self, data: str) -> None:
        words = [word for word in data.split() if _WORD.search(word) and word.strip("(),·.:") not in NAMES]
        if words and not self._code:
            self.found.append(data.strip())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._code += tag == "code"
        self.found += [value for name, value in attrs if name in ATTRIBUTES and value and _WORD.search(value)]

    def handle_endtag(self, tag: str) -> None:
        self._code -= tag == "code"


def _constants(node: nodes.Node) -> Iterator[str]:
    """The strings in the expressions of a template, but those that are translated."""
    if isinstance(node, nodes.Call) and isinstance(node.node, nodes.Name) and node.node.name in TRANSLATING:
        for keyword in node.kwargs:
            yield from _constants(keyword)
        return
    if isinstance(node, nodes.Const) and isinstance(node.value, str):
        yield node.value
    for child in node.iter_child_nodes():
        yield from _constants(child)


def python_texts(module: str) -> Iterator[str]:
    """The texts that a module gives to pages or responses without marking them for translation."""
    for node in ast.walk(ast.parse(module)):
        if isinstance(node, ast.Call):
            name = getattr(node.func, "id", getattr(node.func, "attr", ""))
            wanted = SPOKEN.get(name, ())
            given = [(place, value) for place, value in enumerate(node.args) if place in wanted]
            given += [(word.arg, word.value) for word in node.keywords if word.arg in wanted]
            for _, value in given:
                if isinstance(value, ast.JoinedStr) or (isinstance(value, ast.Constant) and value.value):
                    yield ast.unparse(value)


def data_texts(text: str) -> Iterator[str]:
    """The sentences of a data file that are neither msgids nor in all languages.

    A file that says at its top which standard or products it has the `names_of` holds nothing else.
    """
    data = tomllib.loads(text)
    return iter(()) if "names_of" in data else _sentences(data)


def _sentences(node: Any) -> Iterator[str]:
    if isinstance(node, list):
        for one in node:
            yield from _sentences(one)
    elif isinstance(node, dict):
        translated = set(LANGUAGES) <= node.keys()
        for key, value in node.items():
            if not isinstance(value, str):
                yield from _sentences(value)
            elif not (translated and key in LANGUAGES) and key not in DATA_KEYS | UNSEEN_KEYS and _is_sentence(value):
                yield value


def _is_sentence(text: str) -> bool:
    return " " in text and bool(_SENTENCE.search(text))


def banned_terms(terms: dict[str, Any]) -> Iterator[str]:
    """Every translation with a word that its language does not use."""
    for language, rules in terms.items():
        patterns = [
            (re.compile(rf"(?<!\w)(?:{word})(?!\w)", re.IGNORECASE), rule["use"])
            for rule in rules
            for word in rule["not"]
        ]
        for message in read(language):
            strings = [message.string] if isinstance(message.string, str) else list(message.string)
            for string in strings if message.id else ():
                plain = _PLACEHOLDER.sub("", string.replace("\u00ad", ""))
                for pattern, use in patterns:
                    if found := pattern.search(plain):
                        yield f"{language}: {found[0]!r} in {string!r}: use {use}"


if __name__ == "__main__":
    sys.exit(main())
