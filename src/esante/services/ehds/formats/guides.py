"""The rules of the European guides, from data/guides.toml."""

from dataclasses import dataclass
from datetime import date
from functools import cache
from typing import Any, Literal

from esante.core.dated_data import in_force, packaged_text, parse_periods
from esante.core.fhir import CompiledPath, compile_path
from esante.core.types import Json

BASE = "base"
"""The guide that holds for every document."""
IPS_BUNDLE = "http://hl7.org/fhir/uv/ips/StructureDefinition/Bundle-uv-ips"


@dataclass(frozen=True, slots=True, kw_only=True)
class GuideRule:
    """A rule for the resources of a type (fields: see data/guides.toml)."""

    id: str
    on: str
    fhirpath: CompiledPath
    requires: str
    help: str
    claims: str = ""
    severity: Literal["error", "warning"] = "error"


@dataclass(frozen=True, slots=True, kw_only=True)
class GuideSection:
    """A section that a guide describes; `types` of its entries, empty: any."""

    code: str
    max: int
    min: int = 0
    types: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Guide:
    """A guide (fields: see data/guides.toml)."""

    name: str
    standard: str
    article: str
    source: str
    types: frozenset[str]
    profile: str
    ips: bool
    entries: bool
    nested: bool
    sections: tuple[GuideSection, ...]
    rules: tuple[GuideRule, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class GuideRules:
    """The guides in force from a day."""

    valid_from: date
    legal_source: str
    verified: bool
    guides: tuple[Guide, ...]

    @property
    def base(self) -> Guide:
        """The guide that holds for every document."""
        return next(guide for guide in self.guides if guide.name == BASE)

    def guide_of(self, bundle: Json) -> Guide | None:
        """Return the guide of a document: by the profiles that it claims, else by the type of its Composition."""
        composition = first_composition(bundle)
        own = [one for one in self.guides if one.name != BASE]
        claimed = [*profiles_of(bundle), *profiles_of(composition)]
        by_profile = (one for one in own if any(profile.startswith(one.profile) for profile in claimed))
        by_type = (one for one in own if one.types & codes_of(composition.get("type")))
        return next(by_profile, None) or next(by_type, None)


def first_composition(bundle: Json) -> Json:
    """Return the first Composition of a Bundle; an empty resource where there is none."""
    resources = (entry.get("resource") for entry in objects(bundle.get("entry")))
    found = (one for one in resources if isinstance(one, dict) and one.get("resourceType") == "Composition")
    return next(found, {})


def objects(value: Any) -> list[Json]:
    """Return the objects of a list; nothing of another value, which R4 refuses anyway."""
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def codes_of(concept: Any) -> frozenset[str]:
    """Return the codes of a CodeableConcept."""
    codings = objects(concept.get("coding")) if isinstance(concept, dict) else []
    return frozenset(str(one["code"]) for one in codings if one.get("code"))


def profiles_of(resource: Json) -> list[str]:
    """Return the profiles that a resource claims."""
    meta = resource.get("meta")
    claimed = meta.get("profile") if isinstance(meta, dict) else None
    return [one for one in claimed if isinstance(one, str)] if isinstance(claimed, list) else []


def _parse_guide(table: dict[str, Any]) -> Guide:
    return Guide(
        name=table["name"],
        standard=table["standard"],
        article=table["article"],
        source=table["source"],
        types=frozenset(table["types"]),
        profile=table["profile"],
        ips=table.get("ips", False),
        entries=table.get("entries", False),
        nested=table.get("nested", True),
        sections=tuple(GuideSection(**(one | {"types": tuple(one["types"])})) for one in table.get("section", ())),
        rules=tuple(
            GuideRule(**(one | {"fhirpath": compile_path(one["fhirpath"], one["on"])})) for one in table["rule"]
        ),
    )


def _parse_period(table: dict[str, Any]) -> GuideRules:
    guides = tuple(_parse_guide(one) for one in table["guide"])
    return GuideRules(
        valid_from=table["valid_from"],
        legal_source=table["legal_source"],
        verified=table["verified"],
        guides=guides,
    )


@cache
def _periods() -> tuple[GuideRules, ...]:
    return parse_periods(packaged_text("esante.services.ehds", "guides.toml"), _parse_period)


def guide_rules(day: date) -> GuideRules:
    """Return the rules in force on a day."""
    return in_force(_periods(), day)
