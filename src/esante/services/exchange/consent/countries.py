"""The keys of countries: as which organisation their professionals ask, and to which a patient gives access."""

from uuid import UUID, uuid5

_NAMESPACE = UUID("6f3f0f86-0c0e-5c0b-9a43-4d6a1a1c7d52")


def country_key(country: str) -> UUID:
    """Return the key of a country (ISO 3166-1, two letters)."""
    return uuid5(_NAMESPACE, country.upper())
