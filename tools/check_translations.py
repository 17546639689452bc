"""Hold the four catalogs to the texts of the program: nothing missing, nothing left over, no broken placeholder.

Texts are the first argument of `_`, `N_`, `gettext` and `ngettext` in Python and in templates, the second one of `P_`
and `pgettext`, whose first is the context, and what the packages' data files call `label`, `display` or `words`.
`--update` brings the catalogs up to the texts: new ones without a translation (in English: the text itself), old ones
gone. `--missing LANGUAGE` prints what is still to translate.
"""

import argparse
import re
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from babel.messages import Catalog
from babel.messages.extract import extract
from babel.messages.pofile import read_po, write_po

ROOT = Path(__file__).resolve().parent.parent
SOURCE = ROOT / "src" / "esante"
LOCALE = SOURCE / "core" / "web" / "locale"
LANGUAGES = ("fr", "de", "en", "lb")
IN_CONTEXT = ((1, "c"), 2)
KEYWORDS: dict[str, Any] = {
    "_": None,
    "N_": None,
    "gettext": None,
    "ngettext": (1, 2),
    "P_": IN_CONTEXT,
    "pgettext": IN_CONTEXT,
}
OPTIONS = {"trimmed": "true", "trim_blocks": "true", "lstrip_blocks": "true", "silent": "false"}
DATA_KEYS = {"label", "display", "words"}
_PLACEHOLDER = re.compile(r"%\((\w+)\)s|%%")

Text = str | tuple[str, ...]


def main() -> int:
    """Check, or with `--update` mend what can be mended; 1 when something is wrong."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--update", action="store_true")
    parser.add_argument("--missing", choices=LANGUAGES)
    arguments = parser.parse_args()
    texts = dict(found_texts(SOURCE))
    if arguments.update:
        for language in LANGUAGES:
            write(language, merged(language, texts))
    if arguments.missing:
        print("\n".join(repr(text) for text in missing(read(arguments.missing), texts)))
        return 0
    faults = [f"{language}: {fault}" for language in LANGUAGES for fault in faults_of(read(language), texts)]
    print("\n".join(faults) or f"{len(texts)} texts in {len(LANGUAGES)} languages: complete.")
    return 1 if faults else 0


def found_texts(source: Path) -> Iterator[tuple[str, Text]]:
    """Every text of the program by its key: the singular, after its context and U+0004 where it has one."""
    for path in sorted(source.rglob("*")):
        method = {".py": "python", ".html": "jinja2.ext:babel_extract"}.get(path.suffix)
        if method:
            with path.open("rb") as file:
                for _line, text, _comments, context in extract(method, file, KEYWORDS, (), OPTIONS):
                    key = text if isinstance(text, str) else text[0]
                    yield (f"{context}\x04{key}" if context else key), text
        elif path.suffix == ".toml":
            yield from ((text, text) for text in _labels(tomllib.loads(path.read_text(encoding="utf-8"))))


def _labels(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        for key, value in node.items():
            if key in DATA_KEYS and isinstance(value, str):
                yield value
            else:
                yield from _labels(value)
    elif isinstance(node, list):
        for item in node:
            yield from _labels(item)


def read(language: str) -> Catalog:
    """The catalog of a language; an empty one where there is none yet."""
    path = _path(language)
    if not path.is_file():
        return Catalog(locale=language)
    with path.open("rb") as file:
        return read_po(file, locale=language)


def merged(language: str, texts: dict[str, Text]) -> Catalog:
    """The catalog with exactly the texts of the program; translations are kept, none is guessed."""
    old = read(language)
    new = Catalog(locale=language, project="esante", version="1", charset="utf-8", fuzzy=False)
    for key, text in sorted(texts.items()):
        known = entry(old, key)
        string = known.string if known and known.string else None
        if string is None and language == "en":
            string = text
        new.add(text, string, context=key.partition("\x04")[0] if "\x04" in key else None)
    return new


_HEAD = r"""# Texts of esante.
msgid ""
msgstr ""
"Language: {language}\n"
"MIME-Version: 1.0\n"
"Content-Type: text/plain; charset=utf-8\n"
"Content-Transfer-Encoding: 8bit\n"
"Plural-Forms: {plural}\n"

"""


def write(language: str, catalog: Catalog) -> None:
    """Write a catalog without dates and places, so that it changes only where its texts do."""
    path = _path(language)
    path.parent.mkdir(parents=True, exist_ok=True)
    head = _HEAD.format(language=language, plural=catalog.plural_forms)
    with path.open("wb") as file:
        file.write(head.encode())
        write_po(file, catalog, width=110, no_location=True, omit_header=True, sort_output=True)


def entry(catalog: Catalog, key: str) -> Any:
    """The entry of a catalog for a text, or None."""
    context, _, text = key.rpartition("\x04")
    return catalog.get(text, context or None)


def missing(catalog: Catalog, texts: dict[str, Text]) -> list[Text]:
    """The texts without a (whole) translation."""
    return [text for key, text in sorted(texts.items()) if not _translated(catalog, key)]


def faults_of(catalog: Catalog, texts: dict[str, Text]) -> Iterator[str]:
    """What is wrong in a catalog."""
    for text in missing(catalog, texts):
        yield f"not translated: {text!r}"
    for message in catalog:
        if not message.id:
            continue
        key = message.id if isinstance(message.id, str) else message.id[0]
        if message.context:
            key = f"{message.context}\x04{key}"
        if key not in texts:
            yield f"left over: {key!r}"
        if message.fuzzy:
            yield f"uncertain (fuzzy): {key!r}"
        yield from _placeholder_faults(message)
    for key in catalog.obsolete:
        yield f"left over: {key!r}"


def _translated(catalog: Catalog, key: str) -> bool:
    message = entry(catalog, key)
    if message is None or not message.string:
        return False
    return isinstance(message.string, str) or all(message.string)


def _placeholder_faults(message: Any) -> Iterator[str]:
    wanted = _placeholders(message.id if isinstance(message.id, str) else message.id[-1])
    strings = [message.string] if isinstance(message.string, str) else list(message.string)
    for string in strings:
        if string and _placeholders(string) != wanted:
            yield f"other placeholders than the text: {string!r}"


def _placeholders(text: str) -> list[str]:
    return sorted(match[0] for match in _PLACEHOLDER.finditer(text))


def _path(language: str) -> Path:
    return LOCALE / language / "LC_MESSAGES" / "messages.po"


if __name__ == "__main__":
    sys.exit(main())
