"""Rules for tests: written as files, and a slow plain interpreter of them, made from the specification alone."""

import ipaddress
import itertools
import re
from pathlib import Path

import yaml

from esante.services.soc import RuleSet, load_rules

DASHES = "-/–—―"


def rule(detection: dict, *, number: int = 1, **more) -> dict:
    """Return a rule as a document."""
    return {
        "title": f"Rule {number}",
        "id": f"rule-{number}",
        "logsource": {"product": "test"},
        "detection": detection,
        **more,
    }


def written(folder: Path, *documents: dict) -> RuleSet:
    """Return what a folder with these documents in one file loads as."""
    text = yaml.safe_dump_all(documents, allow_unicode=True, sort_keys=False)
    (folder / "rules.yml").write_text(text, "utf-8")
    return load_rules(folder)


def holds(document: dict, event: dict) -> bool:
    """Whether a rule finds an event of flat fields."""
    searches = {
        name: _search(content, event) for name, content in document["detection"].items() if name != "condition"
    }
    return _condition(document["detection"]["condition"], searches)


def _condition(text: str, searches: dict[str, bool]) -> bool:
    def quantified(found: re.Match) -> str:
        pattern = "[^_].*" if found[2] == "them" else found[2].replace("*", ".*")
        values = [value for name, value in searches.items() if re.fullmatch(pattern, name)]
        return str(all(values) if found[1] == "all" else any(values))

    text = re.sub(r"(1|all) of ([\w*]+)", quantified, text)
    names = r"\b(?!and\b|or\b|not\b|True\b|False\b)[A-Za-z_]\w*"
    return eval(re.sub(names, lambda found: str(searches[found[0]]), text))


def _search(content, event: dict) -> bool:
    if isinstance(content, dict):
        return all(_item(key, value, event) for key, value in content.items())
    if isinstance(content, list):
        return any(_search(one, event) for one in content)
    return _item("", content, event)


def _item(key: str, given, event: dict) -> bool:
    name, *modifiers = key.split("|")
    values = given if isinstance(given, list) else [given]
    join = all if "all" in modifiers else any
    found = join(
        _value(name, value, [one for one in modifiers if one not in ("all", "neq")], event) for value in values
    )
    return not found if "neq" in modifiers else found


def texts_of(value) -> list[str]:
    """Return the texts of a value of an event."""
    if value is None:
        return []
    if isinstance(value, list):
        return [text for one in value for text in texts_of(one)]
    if isinstance(value, bool):
        return [str(value).lower()]
    return [str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)]


def _value(name: str, value, modifiers: list[str], event: dict) -> bool:
    texts = texts_of(event.get(name)) if name else [text for one in event.values() for text in texts_of(one)]
    if value is None:
        return event.get(name) is None
    if "exists" in modifiers:
        return (name in event) is value
    if "re" in modifiers:
        flags = sum({"i": re.I, "m": re.M, "s": re.S}[one] for one in modifiers if one != "re")
        return any(re.search(value, text, flags) for text in texts)
    if "cidr" in modifiers:
        return any(_in_network(text, value) for text in texts)
    if "fieldref" in modifiers:
        others = texts_of(event.get(value))
        return any(text.casefold() == other.casefold() for text in texts for other in others)
    for operator in ("lt", "lte", "gt", "gte"):
        if operator in modifiers:
            return any(_compared(operator, text, value) for text in texts)
    return any(_like(text, pattern, modifiers) for pattern in _patterns(value, modifiers) for text in texts) or (
        not name and any(_like(text, pattern, ["contains"]) for pattern in _patterns(value, []) for text in texts)
    )


def _in_network(text: str, network: str) -> bool:
    try:
        return ipaddress.ip_address(text) in ipaddress.ip_network(network, strict=False)
    except ValueError:
        return False


def _compared(operator: str, text: str, number: float) -> bool:
    try:
        value = float(text)
    except ValueError:
        return False
    return {"lt": value < number, "lte": value <= number, "gt": value > number, "gte": value >= number}[operator]


def _patterns(value, modifiers: list[str]) -> list[str]:
    text = value if isinstance(value, str) else texts_of(value)[0]
    if "windash" not in modifiers:
        return [text]
    places = [found.start() for found in re.finditer(rf"\B[{DASHES}]\b", text)]
    variants = []
    for dashes in itertools.product(DASHES, repeat=len(places)):
        characters = list(text)
        for place, dash in zip(places, dashes, strict=True):
            characters[place] = dash
        variants.append("".join(characters))
    return variants


def _like(text: str, pattern: str, modifiers: list[str]) -> bool:
    parts = _characters(pattern)
    if "contains" in modifiers or "endswith" in modifiers:
        parts = ["any", *parts]
    if "contains" in modifiers or "startswith" in modifiers:
        parts = [*parts, "any"]
    if "cased" not in modifiers:
        text = text.casefold()
        parts = [one if isinstance(one, str) else (one[0].casefold(),) for one in parts]
    places = {0}
    for one in parts:
        if one == "any":
            places = set(range(min(places), len(text) + 1)) if places else places
        elif one == "one":
            places = {place + 1 for place in places if place < len(text)}
        else:
            places = {place + len(one[0]) for place in places if text.startswith(one[0], place)}
    return len(text) in places


def _characters(pattern: str) -> list:
    """Return "any", "one" and single characters in a tuple."""
    parts, at = [], 0
    while at < len(pattern):
        if pattern[at] == "\\" and pattern[at + 1 : at + 2] in ("*", "?", "\\"):
            parts.append((pattern[at + 1],))
            at += 2
        else:
            parts.append({"*": "any", "?": "one"}.get(pattern[at], (pattern[at],)))
            at += 1
    return parts
