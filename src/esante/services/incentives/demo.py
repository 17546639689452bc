"""Demonstration data: invented practices with their software, a quarter that is decided and paid, and one that waits.

The demonstration has no fee notes of earlier quarters, so their evidence is kept as it would have been read.
"""

import random
from collections.abc import Iterator, Sequence
from datetime import date, timedelta
from decimal import Decimal
from uuid import UUID

from esante.contract import DemoCountry, Platform
from esante.core.storage import uuid8, write_in_batches
from esante.core.time_zone import day_of
from esante.core.types import Progress
from esante.core.web import Problem
from esante.identity.access import Requester, requester_of
from esante.identity.directory import Practitioner
from esante.services.incentives.appeals.service import Appeals
from esante.services.incentives.claims.service import Claims
from esante.services.incentives.decisions.model import PayeeKind
from esante.services.incentives.decisions.service import Decisions, OwnDecisions
from esante.services.incentives.evidence import evidence_store
from esante.services.incentives.evidence.model import Evidence, Label
from esante.services.incentives.evidence.reader import provider_code_of
from esante.services.incentives.payments.service import Payments
from esante.services.incentives.schemes.quarter import Quarter

DEBTOR = "Agence fictive", "LU280019400644750000"
_PRODUCTS = (
    ("Dossier Exemple", "Exempla Software", 6),
    ("PraxisMuster", "Muster Systeme", 3),
    ("Beispill", "Beispill IT", 1),
)
"""Invented products: name, vendor, and how many of ten practices use it."""
_ACCOUNT = "LU120010001234567891"
_PROFESSIONS = ("doctor", "dentist")


async def load_incentives(platform: Platform, country: DemoCountry, progress: Progress) -> None:
    """Keep the evidence of three quarters, and decide the first of them; what was done before is not repeated."""
    present = Quarter.of(day_of(country.now))
    first = present.before.before
    await _label(platform, first.first - timedelta(days=60))
    doctors = [one for one in country.practitioners if one.profession in _PROFESSIONS and provider_code_of(one)]
    for number, doctor in enumerate(doctors, 1):
        rows = [evidence_store.evidence_row(one) for one in _evidence(country, doctor, first, day_of(country.now))]
        await write_in_batches(platform.db, rows)
        progress(number, len(doctors), "evidence of incentives")
    await _claim(platform, doctors)
    await _decide(platform, str(first))
    if doctors:
        await _pay(platform, doctors[0])


async def _label(platform: Platform, since: date) -> None:
    async with platform.db.transaction() as conn:
        for name, vendor, _ in _PRODUCTS:
            label = Label(
                version_id=_key(f"{name} 1.0"),
                kit="ra-pid",
                product=name,
                version="1.0",
                vendor_id=_key(vendor),
                vendor=vendor,
                clients=frozenset({_client(name)}),
                since=since,
                until=None,
                ended_on=None,
            )
            await evidence_store.keep_label(conn, label)


def _evidence(country: DemoCountry, doctor: Practitioner, first: Quarter, today: date) -> Iterator[Evidence]:
    """Yield invented notes of a doctor on working days from a quarter until today."""
    chance, code = random.Random(f"{country.seed} {doctor.id} notes"), provider_code_of(doctor)  # noqa: S311 - invented data
    (product, _, _), busy = chance.choices(_PRODUCTS, [share for *_, share in _PRODUCTS])[0], chance.random() < 0.85
    day = first.first
    while day < today:
        if day.weekday() < 5 and chance.random() < (0.7 if busy else 0.1):
            yield Evidence(
                kind="fee_note",
                document_id=_key(f"{code} {day}"),
                provider_code=code,
                payee_code=code,
                profession=doctor.profession,
                on_day=day,
                client_id=_client(product),
                software=product,
                patient_key=chance.getrandbits(62),
                amount=Decimal("60.60"),
                seq=0,
            )
        day += timedelta(days=1)


async def _claim(platform: Platform, doctors: Sequence[Practitioner]) -> None:
    """Let the vendor of the first product claim some practices."""
    name, vendor, _ = _PRODUCTS[0]
    requester = Requester(kind="vendor", id=_key(f"{vendor} office"), name=vendor, organization_id=_key(vendor))
    schemes = (await platform[Claims].claimable(requester)).schemes
    claimed = {one.provider_code for one in (await platform[Claims].own(requester, "", None)).items}
    for doctor in doctors[:6] if schemes else ():
        if (code := provider_code_of(doctor)) not in claimed:
            await platform[Claims].make(requester, schemes[0].key, code, _key(f"{name} 1.0"))


async def _decide(platform: Platform, quarter: str) -> None:
    """Let one operator decide a quarter and another confirm it, unless that was done."""
    decisions = platform[Decisions]
    one, other = (Requester(kind="operator", id=_key(name), name=name) for name in ("Zoé Ziffer", "Bob Bilanz"))
    try:
        await decisions.ask(one, quarter)
    except Problem:  # it is confirmed
        return
    while await decisions.advance():
        pass
    await decisions.confirm(other, quarter)


async def _pay(platform: Platform, doctor: Practitioner) -> None:
    """Pay a doctor, who appeals against the decision; unless that was done."""
    payments, requester, code = platform[Payments], requester_of(doctor), provider_code_of(doctor)
    operator = Requester(kind="operator", id=_key("Zoé Ziffer"), name="Zoé Ziffer")
    if await payments.accounts([code]):
        return
    account = await payments.enter_account(requester, PayeeKind.PROVIDER, code, doctor.name, _ACCOUNT)
    await payments.decide_account(operator, account.account_id, confirm=True)
    if (await payments.payable(operator))[0]:
        await payments.make_file(operator)
    for kept in (await platform[OwnDecisions].past([code], [], "", None)).items[:1]:
        text = "Deux de mes mémoires du mois de mai manquent. / Two of my notes of May are missing."
        await platform[Appeals].make(requester, kept.line_id, text, [code], [])


def _client(product: str) -> str:
    return f"demo-{product.lower().replace(' ', '-')}"


def _key(text: str) -> UUID:
    return uuid8(random.Random(f"incentives {text}").randbytes(16))  # noqa: S311 - invented data
