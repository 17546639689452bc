"""The packaged requirements (data/requirements.toml), checked."""

import tomllib
from collections.abc import Sequence
from functools import cache

import msgspec

from esante.core.dated_data import packaged_text
from esante.services.ehds.requirements.model import AREAS, Article, Requirement

LANGUAGES = frozenset({"fr", "de", "en", "lb"})


class _File(msgspec.Struct, forbid_unknown_fields=True):
    article: tuple[Article, ...]
    requirement: tuple[Requirement, ...]


@cache
def requirements() -> Sequence[tuple[Requirement, Article]]:
    """Return the packaged requirements, each with its article."""
    return parse_requirements(packaged_text("esante.services.ehds.requirements", "requirements.toml"))


def parse_requirements(text: str) -> Sequence[tuple[Requirement, Article]]:
    """Return the requirements of a TOML text in its order, each with its article.

    Raises: ValueError for two of one id, an unknown article or area, a text that lacks a language, and for one that
    has neither tests nor a word on what is missing, or both.
    """
    file = msgspec.convert(tomllib.loads(text), _File)
    articles = {one.id: one for one in file.article}
    seen: set[str] = set()
    for one in file.requirement:
        faults = {
            "there are two of it": one.id in seen,
            f"there is no article {one.article}": one.article not in articles,
            f"there is no area {one.area}": one.area not in AREAS,
            "its text lacks a language": one.text.keys() != LANGUAGES,
            "its article lacks a language": one.article in articles
            and articles[one.article].title.keys() != LANGUAGES,
            "its tests are named twice": len(set(one.tests)) < len(one.tests),
            "it needs tests, or what is missing in every language": bool(one.tests)
            == (one.missing.keys() == LANGUAGES),
        }
        for fault, found in faults.items():
            if found:
                raise ValueError(f"requirement {one.id}: {fault}")
        seen.add(one.id)
    return [(one, articles[one.article]) for one in file.requirement]
