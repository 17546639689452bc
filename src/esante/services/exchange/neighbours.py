"""Links two demonstrations as neighbours, with throw-away keys and the consent of their invented people."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from esante.contract import Platform
from esante.core import clock
from esante.core.time_zone import today
from esante.core.web import Problem
from esante.identity.access import Requester
from esante.identity.directory import Directory
from esante.services.exchange.consent.service import CountryConsents
from esante.services.exchange.contact_points import ContactPoints, Own
from esante.services.exchange.contact_points.own import SEAL, load_own
from esante.services.exchange.contact_points.publication import write_publication
from esante.services.exchange.contact_points.registration import fingerprint
from esante.services.exchange.contact_points.terms import terms_on
from esante.services.exchange.contact_points.trial_keys import write_trial_keys
from esante.services.exchange.country_b.model import PRESCRIPTION, SUMMARY
from esante.services.exchange.settings import ExchangeSettings
from esante.services.record import Filters, Record

SECOND_COUNTRY, SECOND_HOME = "XE", "2.999.35.1"
"""A code that no country has (ISO 3166-1, user-assigned), and an OID of examples (ITU-T X.660)."""
HOST = "127.0.0.1"


def second_country(port: int) -> ExchangeSettings:
    """Return the settings of the second country, whose contact point listens on a port."""
    return ExchangeSettings(
        ncp_country=SECOND_COUNTRY,
        ncp_home=SECOND_HOME,
        ncp_connector="record",
        ncp_url=f"https://{HOST}:{port}",
    )


def first_country(settings: ExchangeSettings, port: int) -> ExchangeSettings:
    """Return the settings of the first country, so that its contact point answers the second one."""
    return replace(settings, ncp_connector="record", ncp_url=f"https://{HOST}:{port}")


def keys_of(folder: Path, settings: ExchangeSettings, now: datetime) -> Own:
    """Return the identity of a demonstration, with throw-away keys where it has none."""
    if not (folder / SEAL).exists():
        write_trial_keys(folder, settings.ncp_country, HOST, now)
    return load_own(folder, settings.ncp_country, settings.ncp_home)


def publication_of(own: Own, settings: ExchangeSettings, now: datetime) -> Mapping[str, bytes]:
    """Return what a demonstration publishes; prescriptions are offered too, which the country itself does not yet."""
    terms = terms_on(today())
    offered = replace(terms, offers=terms.offers | {PRESCRIPTION})
    return write_publication(own, offered, settings.ncp_url, now)


async def link(platform: Platform, other: Own, published: Mapping[str, bytes], operator: Requester) -> None:
    """Register the neighbour at a demonstration."""
    confirmed = frozenset({fingerprint(other.issuer.certificate)})
    await platform[ContactPoints].register(operator, published, confirmed)


async def consent(platform: Platform, patients: Sequence[Requester], country: str) -> None:
    """Let patients allow a country to see their record; who cannot, or has done so already, stays as they are."""
    consents = platform[CountryConsents]
    for patient in patients:
        (known,) = await consents.list(patient, [country])
        if known.since is None:
            try:
                await consents.give(patient, country, country)
            except Problem:
                continue


async def travellers(platform: Platform, patients: Sequence[Requester]) -> list[tuple[str, str, str]]:
    """Return name, identifier and date of birth of the patients who have a summary and a prescription."""
    persons = await platform[Directory].persons([one.id for one in patients])
    found = []
    for patient in patients:
        try:
            kinds = [
                (await platform[Record].timeline(patient, patient.id, Filters(type=(code,)), limit=1)).documents
                for code in (SUMMARY, PRESCRIPTION)
            ]
        except Problem:
            continue
        person = persons.get(patient.id)
        if all(kinds) and person:
            found.append((person.name, person.identifiers[0].value, person.birth_date.isoformat()))
    return found


def exchange_folder(platform: Platform) -> Path:
    """Return the folder of the keys of a platform's contact point."""
    return platform.settings.data / "exchange"


async def link_both(first: Platform, second: Platform, operator: Requester) -> None:
    """Register two demonstrations at each other."""
    sides = [(one, one.settings.of(ExchangeSettings)) for one in (first, second)]
    now = clock.now()
    own = [keys_of(exchange_folder(one), settings, now) for one, settings in sides]
    published = [publication_of(mine, settings, now) for mine, (_, settings) in zip(own, sides, strict=True)]
    await link(first, own[1], published[1], operator)
    await link(second, own[0], published[0], operator)
