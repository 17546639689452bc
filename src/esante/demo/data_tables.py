"""The data files of the synthetic country, and their texts in the language of a document."""

import random
import tomllib
from collections.abc import Mapping
from functools import cache
from typing import Any

from esante.core.dated_data import packaged_text
from esante.core.types import Json

LANGUAGES = ("fr", "de", "en", "lb")


@cache
def load_table(name: str) -> Json:
    """Return the content of `data/<name>.toml`; read once."""
    return tomllib.loads(packaged_text("esante.demo", f"{name}.toml"))


def term(name: str, language: str) -> str:
    """Return a term of `titles.toml` by its dotted name, for example `column.test`."""
    group, _, key = name.partition(".")
    return str(load_table("titles")[group][key][language])


def localized_name(entry: Mapping[str, Any], language: str) -> str:
    """Return the name of an entry, in French where it has none in the language (some have none in Luxembourgish)."""
    return str(entry["name"].get(language) or entry["name"]["fr"])


def draw_phrase(rng: random.Random, part: str, language: str, **values: object) -> str:
    """Draw a variant of a part of a kind of document (for example `discharge.plan`) and fill in `values`."""
    kind, _, name = part.partition(".")
    return str(rng.choice(load_table("phrases")[kind][name][language])).format(**values)


def phrase_languages(part: str) -> tuple[str, ...]:
    """Return the languages in which a part of a kind of document can be written."""
    kind, _, name = part.partition(".")
    return tuple(load_table("phrases")[kind][name])
