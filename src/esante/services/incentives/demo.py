"""Demonstration data: a quarter that is decided and paid from the fee notes of the demo, and one that waits."""

import random
from collections.abc import Sequence
from datetime import UTC, datetime, time
from uuid import UUID

from esante.contract import DemoCountry, Platform
from esante.core.clock import use_clock
from esante.core.storage import uuid8
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
from esante.services.incentives.evidence.reader import EvidenceReader, provider_code_of
from esante.services.incentives.payments.service import Payments
from esante.services.incentives.schemes.quarter import Quarter

DEBTOR = "Agence fictive", "LU280019400644750000"
_ACCOUNT = "LU120010001234567891"
_CLAIMS = 3
"""Practices that a vendor claims at most."""


async def load_incentives(platform: Platform, country: DemoCountry, progress: Progress) -> None:
    """Decide and pay the quarter before the last from the journal; what was done before is not repeated."""
    await platform.journal.sealer.seal_all()
    await platform[EvidenceReader].catch_up()
    progress(1, 3, "incentives")
    quarter = Quarter.of(day_of(country.now)).before.before
    doctors = await _doctors(platform, country, quarter)
    with use_clock(lambda: datetime.combine(quarter.last, time(12), UTC)):
        await _claim(platform, country, doctors)
    await _decide(platform, str(quarter))
    progress(2, 3, "incentives")
    await _pay(platform, doctors)
    progress(3, 3, "incentives")


async def _doctors(platform: Platform, country: DemoCountry, quarter: Quarter) -> list[Practitioner]:
    """Return the doctors with a provider code, first those with evidence in a quarter."""
    doctors = [one for one in country.practitioners if one.id in country.software and provider_code_of(one)]
    billing = set()
    for one in doctors:
        async for _ in platform[EvidenceReader].documents(provider_code_of(one), quarter):
            billing.add(one.id)
            break
    return sorted(doctors, key=lambda one: one.id not in billing)


async def _claim(platform: Platform, country: DemoCountry, doctors: Sequence[Practitioner]) -> None:
    """Let the vendor of each labelled software claim some practices that use it."""
    claims = platform[Claims]
    for label in await evidence_store.fetch_labels(platform.db):
        key, name = label.vendor_id, label.vendor
        requester = Requester(kind="vendor", id=key, name=name, organization_id=key, organization=name)
        schemes = (await claims.claimable(requester)).schemes
        claimed = {one.provider_code for one in (await claims.own(requester, "", None)).items}
        using = [one for one in doctors if country.software[one.id].client_id in label.clients]
        for doctor in using[:_CLAIMS] if schemes else ():
            if (code := provider_code_of(doctor)) not in claimed:
                await claims.make(requester, schemes[0].key, code, label.version_id)


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


async def _pay(platform: Platform, doctors: Sequence[Practitioner]) -> None:
    """Pay the first doctor of the quarter, who appeals against the decision; unless that was done."""
    payments, operator = platform[Payments], Requester(kind="operator", id=_key("Zoé Ziffer"), name="Zoé Ziffer")
    for doctor in doctors:
        requester, code = requester_of(doctor), provider_code_of(doctor)
        decided = (await platform[OwnDecisions].past([code], [], "", None)).items
        if not decided:
            continue
        if not await payments.accounts([code]):
            account = await payments.enter_account(requester, PayeeKind.PROVIDER, code, doctor.name, _ACCOUNT)
            await payments.decide_account(operator, account.account_id, confirm=True)
            if (await payments.payable(operator))[0]:
                await payments.make_file(operator)
            text = "Deux de mes mémoires du mois de mai manquent. / Two of my notes of May are missing."
            await platform[Appeals].make(requester, decided[0].line_id, text, [code], [])
        return


def _key(text: str) -> UUID:
    return uuid8(random.Random(f"incentives {text}").randbytes(16))  # noqa: S311 - invented data
