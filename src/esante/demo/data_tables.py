"""The data files of the synthetic country, read once, and words in the language of a document."""

import random
import tomllib
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Any

LANGUAGES = ("fr", "de", "en", "lb")


@cache
def table(name: str) -> dict[str, Any]:
    """The content of `data/<name>.toml`."""
    return tomllib.loads((files("esante.demo") / "data" / f"{name}.toml").read_text(encoding="utf-8"))


def word(name: str, language: str) -> str:
    """A word of `titles.toml` by its dotted name, for example `column.test`."""
    group, _, key = name.partition(".")
    return str(table("titles")[group][key][language])


def named(entry: Mapping[str, Any], language: str) -> str:
    """The name of an entry; laboratories and imaging centres do not write Luxembourgish and have French."""
    return str(entry["name"].get(language) or entry["name"]["fr"])


def phrase(chance: random.Random, part: str, language: str, **filled: object) -> str:
    """One variant of a part of a kind of document (`discharge.plan`), filled in."""
    kind, _, name = part.partition(".")
    return str(chance.choice(table("phrases")[kind][name][language])).format(**filled)


def languages_of(part: str) -> tuple[str, ...]:
    """The languages in which a part of a kind of document can be written."""
    kind, _, name = part.partition(".")
    return tuple(table("phrases")[kind][name])
