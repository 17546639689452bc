"""Demonstration data of the card: doses of persons of all ages, as doctors gave them or copied them from paper."""

import random
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date, timedelta
from uuid import UUID

from esante.contract import DemoCountry, Platform
from esante.core.journal import advance
from esante.core.storage import NIL, uuid8
from esante.core.types import Progress
from esante.identity.access import (
    Access,
    RecordState,
    Representation,
    RepresentationKind,
    Requester,
    opening_grant,
    requester_of,
)
from esante.identity.directory import Person
from esante.services.vaccination.card.model import DoseEntry, DoseStatus
from esante.services.vaccination.card.service import MAX_ENTRIES, VaccinationCards
from esante.services.vaccination.coverage.service import Coverages
from esante.services.vaccination.health_cards.issuer import HealthCards
from esante.services.vaccination.history.compiler import Histories
from esante.services.vaccination.products.catalogue import Age, catalogue
from esante.services.vaccination.reminders.forecasts import Forecasts
from esante.services.vaccination.reminders.service import Reminders
from esante.services.vaccination.stock.model import LotAt
from esante.services.vaccination.stock.service import Stocks

_PERSONS = 120
"""Persons with doses, those who use the portal first: what a doctor reads is indexed, which takes most of the time."""
_CARD_DOSES = 3
"""Doses on the signed card."""
_SITES = 8
"""Practices with stock."""
_INFANT = (
    ("2m", "infanrix_hexa"),
    ("2m", "prevenar_20"),
    ("2m", "rotarix"),
    ("4m", "infanrix_hexa"),
    ("4m", "prevenar_20"),
    ("11m", "infanrix_hexa"),
    ("11m", "prevenar_20"),
    ("12m", "priorix_tetra"),
    ("16m", "priorix_tetra"),
    ("5y", "boostrix_polio"),
    ("12y", "gardasil_9"),
    ("15y", "boostrix_polio"),
)
"""Ages and products of the doses of children and adolescents."""
_ADULT = (("25y", "boostrix_polio"), ("36y", "boostrix_polio"), ("47y", "boostrix_polio"), ("66y", "shingrix"))


async def load_doses(platform: Platform, country: DemoCountry, progress: Progress) -> None:
    """Enter the doses of some persons through doctors who have access; what was entered before is not repeated."""
    doctors, known = _doctors(country), {person.id for person in country.account_holders}
    others = (person for person in country.persons if person.id not in known)
    count, entered = 0, list[Person]()
    for person in (*country.account_holders, *others):
        if count < _PERSONS and await _enter(platform, doctors, person, country):
            count += 1
            progress(count, _PERSONS, "vaccinations")
            entered.append(person)
    await _make_card(platform[HealthCards], country)
    await _record_parent(platform[Access], country, [one for one in entered if one.id not in known])


def _doctors(country: DemoCountry) -> dict[UUID, Requester]:
    """Return the doctors by their keys, each for the organisation of their present role."""
    places = {one.id: one for one in country.organizations.values()}
    return {
        one.id: requester_of(one, places[one.roles[-1].organization_id], one.roles[-1].profession)
        for one in country.practitioners
        if one.profession == "doctor" and one.roles
    }


async def _make_card(cards: HealthCards, country: DemoCountry) -> None:
    """Make a signed card for the first user of the portal with doses, unless they have one."""
    for requester in map(requester_of, country.account_holders):
        doses = [dose.id for dose in await cards.provable_doses(requester)]
        if doses and not await cards.cards_of(requester):
            await cards.issue(requester, doses[:_CARD_DOSES])
        if doses:
            return


async def _record_parent(access: Access, country: DemoCountry, others: Sequence[Person]) -> None:
    """Record the first user of the portal as a parent of the first child with doses, until the child is of age."""
    parent, today = country.account_holders[0], country.now.date()
    for child in others:
        of_age = Age(18, "y").on(child.birth_date)
        if of_age <= today:
            continue
        if not (await access.consent(child.id)).representations:
            operator = Requester(kind="operator", id=uuid8(child.id.bytes), name="Demo")
            acting = Representation(
                id=NIL,
                kind=RepresentationKind.PARENT,
                representative_id=parent.id,
                since=child.birth_date,
                until=of_age - timedelta(days=1),
            )
            await access.representations.record(operator, child.id, acting, "Synthetic birth certificate")
        return


async def load_operations(platform: Platform, country: DemoCountry, progress: Progress) -> None:
    """Keep the stock of some sites, make the forecasts of everybody, count coverage, and remind who is due.

    What the cards hold is known once the histories are made, which takes longer: all is done again then.
    """
    await _load_stock(platform, country)
    histories, forecasts = platform[Histories], platform[Forecasts]
    for consumer in (histories.consumer, forecasts.consumer):
        while await advance(platform.db, consumer):
            pass
    await forecasts.run(progress)
    await platform[Coverages].refresh(force=True)
    await histories.run()
    await forecasts.run(progress)
    await platform[Coverages].refresh(force=True)
    await platform[Reminders].remind()


async def _load_stock(platform: Platform, country: DemoCountry) -> None:
    """Enter deliveries of invented lots at some practices, each once."""
    practices = {one.id: one for one in country.organizations.values() if one.kind == "practice"}
    doctors = {
        role.organization_id: one
        for one in country.practitioners
        for role in one.roles
        if one.profession == "doctor" and role.organization_id in practices
    }
    for site_id, doctor in [*doctors.items()][:_SITES]:
        requester, chance = requester_of(doctor, practices[site_id]), random.Random(f"{country.seed} {site_id}")  # noqa: S311 - invented data
        for product in ("infanrix_hexa", "boostrix_polio", "vaxigrip"):
            place = LotAt(site_id, product, f"{product[:2]}{chance.randint(100, 999)}B".upper())
            expires_on = country.now.date() + timedelta(days=chance.randint(60, 500))
            key = uuid8(random.Random(f"{site_id} {product} stock").randbytes(16))  # noqa: S311 - invented data
            await platform[Stocks].receive(requester, place, chance.randint(8, 40), expires_on, key)
            await platform[Stocks].set_reorder(requester, site_id, product, 15)


async def _enter(platform: Platform, doctors: Mapping[UUID, Requester], person: Person, country: DemoCountry) -> bool:
    """Enter the doses of a person through a doctor to whom they gave access; return False where there is none."""
    consent = await platform[Access].consent(person.id)
    if consent.state is not RecordState.OPEN or person.deceased_at is not None:
        return False
    treating = [doctors[grant.holder_id] for grant in consent.grants if grant.holder_id in doctors]
    treating = [one for one in treating if opening_grant(consent, one, country.now) is not None]
    if not treating:
        return False
    chance = random.Random(f"{country.seed} {person.id} doses")  # noqa: S311 - invented data
    entries = [*_entries(person, country.now.date(), chance)]
    for start in range(0, len(entries), MAX_ENTRIES):
        batch = entries[start : start + MAX_ENTRIES]
        await platform[VaccinationCards].enter(chance.choice(treating), person.id, batch, reason="Demonstration")
    return True


def _entries(person: Person, today: date, chance: random.Random) -> list[DoseEntry]:
    """Return doses at the ages of the calendar, of which some are missing; the last ones were given, others copied."""
    plan = [
        (Age(int(age[:-1]), age[-1]).on(person.birth_date) + timedelta(days=chance.randint(0, 40)), product)
        for age, product in (*_INFANT, *_ADULT)
    ]
    plan += [(date(year, 10, chance.randint(5, 28)), "vaxigrip") for year in range(today.year - 2, today.year + 1)]
    entries = []
    for day, product in plan:
        too_old = product == "vaxigrip" and today.year - person.birth_date.year < 65
        began = catalogue().products[product].valid_from
        if began <= day <= today and not too_old and chance.random() < 0.85:
            entries.append(_entry(person, day, product, today, chance))
    if chance.random() < 0.1:
        key = _key(person, "refusal")
        day = today - timedelta(days=chance.randint(1, 300))
        refused = DoseEntry(key=key, status=DoseStatus.NOT_GIVEN, antigens=("influenza",), occurred=day.isoformat())
        entries.append(replace(refused, reason="PATOBJ"))
    return [one for one in entries if one.occurred >= person.birth_date.isoformat()]


def _entry(person: Person, day: date, product: str, today: date, chance: random.Random) -> DoseEntry:
    recent = today - day < timedelta(days=3 * 365)
    lot = f"{chance.choice('ABCFHKMR')}{chance.randint(100, 999)}{chance.choice('ABCD')}"
    return DoseEntry(
        key=_key(person, f"{product} {day}"),
        product=product,
        occurred=day.isoformat(),
        lot=lot,
        expires_on=day + timedelta(days=chance.randint(60, 500)) if recent else None,
        site=chance.choice(("LA", "RA")) if recent and product != "rotarix" else "",
        route=catalogue().products[product].route,
        given_here=recent,
        place="" if recent else chance.choice(("Cabinet pédiatrique", "Kinderarztpraxis", "Médecine scolaire", "")),
    )


def _key(person: Person, what: str) -> UUID:
    return uuid8(random.Random(f"{person.id} {what}").randbytes(16))  # noqa: S311 - invented data
