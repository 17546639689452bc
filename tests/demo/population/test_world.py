"""The synthetic country: reproducible, with valid identifiers, and similar to the real population."""

import subprocess
import sys
from collections import Counter
from datetime import date

import pytest

from esante.demo import World, build_world
from esante.demo.seeded_random import age_on
from esante.identity.directory import catalogue, matricule_faults

DAY = date(2026, 11, 23)


@pytest.fixture(scope="module")
def country() -> World:
    return build_world(DAY)


def _digest(seed: int, hash_seed: str) -> str:
    """The digest of people and documents of a small country, made in a process of its own."""
    program = (
        "import hashlib; from datetime import date; from esante.demo import build_world, render_documents\n"
        f"country = build_world(date(2026, 11, 23), seed={seed}, persons=14)\n"
        "digest = hashlib.sha256(repr((country.practitioners, country.citizens)).encode())\n"
        "for citizen in country.citizens:\n"
        "    for document in render_documents(country, citizen):\n"
        "        digest.update(document.id.bytes + document.content)\n"
        "print(digest.hexdigest())"
    )
    environment = {"PYTHONHASHSEED": hash_seed, "PYTHONPATH": ":".join(sys.path)}
    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True)
    return done.stdout


def test_same_seed_gives_the_same_bytes_in_every_process():
    assert _digest(7, "1") == _digest(7, "2")


def test_another_seed_gives_another_country():
    assert _digest(7, "1") != _digest(8, "1")


def test_country_has_the_default_size(country):
    assert len(country.citizens) == 2_000
    assert len(country.practitioners) == 150
    assert len(country.organizations) == 12


def test_names_are_unique(country):
    holders = [*country.practitioners, *(citizen.person for citizen in country.citizens)]
    names = [holder.name for holder in holders] + [place.name for place in country.organizations.values()]
    assert len(names) == len(set(names))


def test_keys_are_unique_uuid7(country):
    roles = [role for practitioner in country.practitioners for role in practitioner.roles]
    holders = [*roles, *country.practitioners, *country.organizations.values()]
    keys = [holder.id for holder in holders] + [citizen.person.id for citizen in country.citizens]
    assert len(keys) == len(set(keys))
    assert {key.version for key in keys} == {7}
    assert {key.variant for key in keys} == {"specified in RFC 4122"}


def test_matricules_are_valid_and_start_with_the_birth_date(country):
    uri = catalogue().system("matricule").uri
    values = []
    for citizen in country.citizens:
        for identifier in citizen.person.identifiers:
            if identifier.system == uri:
                assert matricule_faults(identifier.value) == ()
                assert identifier.value.startswith(f"{citizen.person.birth_date:%Y%m%d}")
                values.append(identifier.value)
    assert len(values) == len(set(values))
    assert 0.9 * len(country.citizens) < len(values) < len(country.citizens)


def test_identifiers_of_professionals_have_valid_formats(country):
    for practitioner in country.practitioners:
        health, provider = practitioner.identifiers
        assert (health.system, len(health.value)) == (catalogue().system("ehealth_id").uri, 10)
        assert (provider.system, len(provider.value)) == (catalogue().system("provider_code").uri, 8)
        assert (health.value + provider.value).isdecimal()


def test_foreign_identifiers_have_valid_check_digits(country):
    found = Counter()
    for citizen in country.citizens:
        for identifier in citizen.person.identifiers:
            value = identifier.value
            if identifier.system.startswith("urn:oid:1.2.250"):
                assert int(value[:13]) % 97 + int(value[13:]) == 97
                found["fr"] += 1
            elif "ehealth.fgov.be" in identifier.system:
                century = "2" if citizen.person.birth_date.year >= 2000 else ""
                assert int(century + value[:9]) % 97 + int(value[9:]) == 97
                found["be"] += 1
            elif identifier.system.endswith("kvid-10"):
                assert value[0].isalpha()
                assert value[1:].isdecimal()
                found["de"] += 1
    assert min(found.values()) > 10
    assert set(found) == {"fr", "be", "de"}


def test_terms_are_in_the_directory_catalogue(country):
    terms = catalogue()
    for practitioner in country.practitioners:
        assert practitioner.profession in terms.professions
        assert set(practitioner.specialities) <= set(terms.specialities)
        assert practitioner.roles[-1].is_in_force(DAY)
    assert {place.kind for place in country.organizations.values()} <= set(terms.organization_kinds)


def test_names_of_organizations_say_that_they_are_fictitious(country):
    assert all("Ficti" in place.name for place in country.organizations.values())


def test_ages_sexes_and_languages_resemble_the_real_population(country):
    ages = [age_on(citizen.person.birth_date, DAY) for citizen in country.citizens]
    count = len(ages)
    assert min(ages) == 0
    assert max(ages) < 105
    assert 0.12 < sum(age < 15 for age in ages) / count < 0.19
    assert 0.11 < sum(age >= 65 for age in ages) / count < 0.19
    sexes = Counter(citizen.person.sex for citizen in country.citizens)
    assert abs(sexes["female"] - sexes["male"]) < 0.1 * count
    assert {citizen.language for citizen in country.citizens} == {"lb", "fr", "de", "pt", "en"}
    assert {citizen.person.address.country for citizen in country.citizens} == {"LU", "FR", "BE", "DE"}
    assert 10 <= sum(citizen.person.deceased_at is not None for citizen in country.citizens) <= 60


def test_most_records_are_open(country):
    states = Counter(citizen.state for citizen in country.citizens)
    assert states["open"] > 0.93 * len(country.citizens)
    assert min(states["announced"], states["objected"], states["closed"]) >= 5


def test_personas_come_first(country):
    assert [citizen.person.name for citizen in country.citizens if citizen.showcase] == [
        "Anna Musterfra",
        "Camille Modèle",
        "Erika Beispiel",
        "Jane Sample",
        "João Exemplo",
    ]
    assert {citizen.language for citizen in country.citizens[:4]} == {"lb", "fr", "de", "en"}
    assert {country.practitioners[citizen.gp_index].name for citizen in country.citizens[:5]} == {"Dr Paul Exempel"}
