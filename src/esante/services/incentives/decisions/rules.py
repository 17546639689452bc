"""The decision of a quarter: from evidence, labels and claims to explained lines. Pure and deterministic."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import date
from decimal import Decimal
from itertools import groupby
from operator import attrgetter
from typing import NamedTuple
from uuid import UUID

from esante.services.incentives.decisions.model import (
    NOTHING,
    Claim,
    Facts,
    Line,
    LineKey,
    PayeeKind,
    Reason,
)
from esante.services.incentives.evidence.model import DayCount, Labels
from esante.services.incentives.schemes.model import Scheme, SchemeId, Unit
from esante.services.incentives.schemes.quarter import Quarter


def decide(quarter: Quarter, schemes: Iterable[Scheme], facts: Facts, labels: Labels) -> list[Line]:
    """Return the lines of a quarter: what each payee gets and why, corrections of earlier quarters, upheld appeals.

    Deciding the same facts again gives the same lines. Nothing that `facts.decided` holds is paid again.
    """
    rows = sorted(schemes, key=lambda one: one.id)
    lines = [*_corrections(rows, facts, labels), *_appeals(quarter, facts)]
    spent, of_payee = _spent([*facts.decided.items(), *((one.key, one.amount) for one in lines)])
    for scheme in rows:
        if not scheme.overlaps(quarter.first, quarter.last):
            continue
        found = entitlements(scheme, quarter, facts.counts.get(scheme.id, ()), facts.claims, labels, facts.decided)
        lines += _within_limits(scheme, found, spent[scheme.id], of_payee)
    return lines


def entitlements(
    scheme: Scheme,
    quarter: Quarter,
    counts: Sequence[DayCount],
    claims: Sequence[Claim],
    labels: Labels,
    decided: Mapping[LineKey, Decimal],
) -> list[Line]:
    """Return the lines of a row for a quarter, before its limits. `counts`: by professional, as `Facts.counts`."""
    if scheme.unit is Unit.INSTALLATION:
        wanted = [one for one in claims if one.scheme == scheme.key and scheme.overlaps(one.made_on, one.made_on)]
        return _installations(scheme, quarter, counts, wanted, labels, _paid_once(scheme, decided))
    paid = _paid_once(scheme, decided) if scheme.unit is Unit.PROFESSIONAL else frozenset()
    lines: list[Line] = []
    for code, days in groupby(counts, attrgetter("provider_code")):
        if code not in paid:
            tally = count(scheme, [*days], labels)
            lines += (
                _documents(scheme, quarter, code, tally)
                if scheme.unit is Unit.DOCUMENT
                else _once(scheme, quarter, code, tally)
            )
    return lines


class Tally(NamedTuple):
    """The documents of a professional: by account and product those that count, do not, and were taken back.

    `reached_on`: the day on which those that count reached the threshold. `last`: the last day with a document.
    """

    counted: dict[tuple[str, str], int]
    uncounted: dict[tuple[str, str], int]
    withdrawn: dict[tuple[str, str], int]
    reached_on: date | None
    last: date | None

    @property
    def total(self) -> int:
        """The documents that count."""
        return sum(self.counted.values())

    @property
    def keys(self) -> list[tuple[str, str]]:
        """The accounts and products, in order."""
        return sorted({*self.counted, *self.uncounted, *self.withdrawn})

    @property
    def changed(self) -> bool:
        """Whether more than one software was used."""
        return len({product for _, product in (*self.counted, *self.uncounted)}) > 1


def count(scheme: Scheme, days: Sequence[DayCount], labels: Labels) -> Tally:
    """Return the documents of a professional, sorted by whether they count for a row."""
    tally = Tally(defaultdict(int), defaultdict(int), defaultdict(int), None, None)
    by_day: dict[date, int] = defaultdict(int)
    for one in days:
        label, product = labels.on(scheme.kit, one.client_id, one.on_day)
        key = one.payee_code, product or one.software or one.client_id
        if one.withdrawn:
            tally.withdrawn[key] += one.withdrawn
        if not one.documents:
            continue
        if label or not scheme.kit:
            tally.counted[key] += one.documents
            by_day[one.on_day] += one.documents
        else:
            tally.uncounted[key] += one.documents
    return tally._replace(
        reached_on=_reached(by_day, scheme.threshold), last=max((d.on_day for d in days), default=None)
    )


def _reached(by_day: Mapping[date, int], threshold: int) -> date | None:
    """Return the day on which a threshold was reached."""
    total = 0
    for day in sorted(by_day):
        total += by_day[day]
        if total >= threshold:
            return day
    return None


def _documents(scheme: Scheme, quarter: Quarter, code: str, tally: Tally) -> Iterator[Line]:
    """Yield a line for each account and product of a professional."""
    for key in tally.keys:
        counted, uncounted, gone = tally.counted.get(key, 0), tally.uncounted.get(key, 0), tally.withdrawn.get(key, 0)
        paid = counted > 0 and tally.reached_on is not None
        yield Line(
            scheme=scheme.id,
            of_quarter=quarter,
            payee_kind=PayeeKind.PROVIDER,
            payee=key[0],
            provider_code=code,
            product=key[1],
            documents=counted,
            uncounted=uncounted,
            withdrawn=gone,
            amount=scheme.amount_of(counted) if paid else NOTHING,
            reasons=_reasons(paid, counted, uncounted, gone, tally.changed),
            reached_on=tally.reached_on,
        )


def _once(scheme: Scheme, quarter: Quarter, code: str, tally: Tally) -> Iterator[Line]:
    """Yield the line of a professional who is paid once; none where nothing happened in the quarter."""
    if tally.last is None or tally.last < quarter.first:
        return
    payee, product = max(tally.keys, key=lambda key: (tally.counted.get(key, 0), [-ord(c) for c in key[0] + key[1]]))
    uncounted, gone = sum(tally.uncounted.values()), sum(tally.withdrawn.values())
    paid = tally.reached_on is not None
    yield Line(
        scheme=scheme.id,
        of_quarter=quarter,
        payee_kind=PayeeKind.PROVIDER,
        payee=payee,
        provider_code=code,
        product=product,
        documents=tally.total,
        uncounted=uncounted,
        withdrawn=gone,
        amount=scheme.amount_of(tally.total) if paid else NOTHING,
        reasons=_reasons(paid, tally.total, uncounted, gone, changed=False),
        reached_on=tally.reached_on,
    )


def _reasons(paid: bool, counted: int, uncounted: int, withdrawn: int, changed: bool) -> tuple[Reason, ...]:
    if paid:
        first = Reason.ENTITLED
    elif counted or not uncounted:
        first = Reason.THRESHOLD if counted or not withdrawn else Reason.WITHDRAWN
    else:
        first = Reason.UNLABELLED
    remarks = ((Reason.UNLABELLED, uncounted), (Reason.WITHDRAWN, withdrawn), (Reason.SOFTWARE_CHANGED, changed))
    return (first, *(one for one, is_so in remarks if is_so and one is not first))


def _paid_once(scheme: Scheme, decided: Mapping[LineKey, Decimal]) -> frozenset[str]:
    """Return the professionals for whom a scheme that pays once has paid, in any of its rows."""
    return frozenset(
        key.provider_code for key, amount in decided.items() if key.scheme[0] == scheme.key and amount > 0
    )


def _installations(
    scheme: Scheme,
    quarter: Quarter,
    counts: Sequence[DayCount],
    claims: Sequence[Claim],
    labels: Labels,
    paid: frozenset[str],
) -> list[Line]:
    """Return a line for each claim: of several for one practice, the first to reach the threshold is paid."""
    days = {code: [*one] for code, one in groupby(counts, attrgetter("provider_code"))}
    lines: list[Line] = []
    for code in sorted({one.provider_code for one in claims}):
        rivals = [one for one in claims if one.provider_code == code]
        found = [_installation(scheme, quarter, one, days.get(code, []), labels, code in paid) for one in rivals]
        entitled = [
            (line.reached_on or date.max, one.made_at, one.claim_id)
            for one, line in zip(rivals, found, strict=True)
            if line.amount
        ]
        winner = min(entitled)[2] if entitled else None
        for claim, line in zip(rivals, found, strict=True):
            lost = line.amount > 0 and claim.claim_id != winner
            lines.append(replace(line, amount=NOTHING, reasons=(Reason.CLAIMED_TWICE,)) if lost else line)
    return lines


def _installation(
    scheme: Scheme, quarter: Quarter, claim: Claim, days: Sequence[DayCount], labels: Labels, connected: bool
) -> Line:
    """Return the line of a claim by its own evidence: the documents that the vendor's product sent."""
    clients = labels.clients_of(scheme.kit, claim.vendor_id, claim.product)
    tally = count(scheme, [one for one in days if one.client_id in clients], labels)
    uncounted, gone = sum(tally.uncounted.values()), sum(tally.withdrawn.values())
    deadline = scheme.deadline(claim.provider_code)
    if connected:
        reason = Reason.CONNECTED_BEFORE
    elif deadline and (claim.made_on > deadline or (tally.reached_on or claim.made_on) > deadline):
        reason = Reason.DEADLINE
    elif tally.reached_on:
        reason = Reason.ENTITLED
    elif not tally.total and uncounted:
        reason = Reason.UNLABELLED
    elif not tally.total:
        reason = Reason.WITHDRAWN if gone else Reason.NO_EVIDENCE
    else:
        reason = Reason.THRESHOLD
    remarks = ((Reason.UNLABELLED, uncounted), (Reason.WITHDRAWN, gone))
    return Line(
        scheme=scheme.id,
        of_quarter=quarter,
        payee_kind=PayeeKind.VENDOR,
        payee=str(claim.vendor_id),
        provider_code=claim.provider_code,
        product=claim.product,
        documents=tally.total,
        uncounted=uncounted,
        withdrawn=gone,
        amount=scheme.amount_of(1) if reason is Reason.ENTITLED else NOTHING,
        reasons=(reason, *(one for one, is_so in remarks if is_so and one is not reason)),
        claim_id=claim.claim_id,
        reached_on=tally.reached_on,
    )


def _spent(
    decided: Iterable[tuple[LineKey, Decimal]],
) -> tuple[defaultdict[SchemeId, Decimal], defaultdict[tuple[SchemeId, str], Decimal]]:
    """Return what each row has given, in all and to each payee."""
    spent: defaultdict[SchemeId, Decimal] = defaultdict(lambda: NOTHING)
    of_payee: defaultdict[tuple[SchemeId, str], Decimal] = defaultdict(lambda: NOTHING)
    for key, amount in decided:
        spent[key.scheme] += amount
        of_payee[key.scheme, key.payee] += amount
    return spent, of_payee


def _within_limits(
    scheme: Scheme, found: Sequence[Line], spent: Decimal, of_payee: defaultdict[tuple[SchemeId, str], Decimal]
) -> list[Line]:
    """Return lines within the budget and the cap of each payee: whoever reached the threshold first comes first.

    What is paid for documents is cut to what is left; what is paid once is paid whole or not at all.
    """
    order = sorted(range(len(found)), key=lambda place: (found[place].reached_on or date.max, found[place].key[2:5]))
    limited = [*found]
    for place in order:
        line = found[place]
        if line.amount <= 0:
            continue
        account = scheme.id, line.payee
        left_of_payee = None if scheme.payee_cap is None else max(NOTHING, scheme.payee_cap - of_payee[account])
        left = None if scheme.budget is None else max(NOTHING, scheme.budget - spent)
        amount, reasons = line.amount, line.reasons
        for rest, reason in ((left_of_payee, Reason.PAYEE_CAP), (left, Reason.BUDGET)):
            if rest is not None and amount > rest:
                amount = rest.quantize(NOTHING) if scheme.unit is Unit.DOCUMENT else NOTHING
                reasons = (reason, *line.reasons[1:])
        limited[place] = replace(line, amount=amount, reasons=reasons)
        spent += amount
        of_payee[account] += amount
    return limited


def _corrections(schemes: Sequence[Scheme], facts: Facts, labels: Labels) -> Iterator[Line]:
    """Yield what is owed back because evidence was taken back after its quarter was decided; nothing is added."""
    by_id = {one.id: one for one in schemes}
    for (row, quarter), codes in sorted(facts.recounted.items()):
        if row not in by_id:
            continue
        before = {
            key: amount
            for key, amount in facts.decided.items()
            if (key.scheme, key.of_quarter) == (row, quarter) and key.provider_code in codes and amount > 0
        }
        paid = [claim for key in before if key.claim_id and (claim := facts.paid_claims.get(key.claim_id))]
        found = entitlements(by_id[row], quarter, facts.recounts[row, quarter], paid, labels, {})
        now = {_entitled(by_id[row], one.key): one for one in found}
        for key, amount in sorted(before.items(), key=lambda one: _order(one[0])):
            line = now.get(_entitled(by_id[row], key))
            if (owed := (line.amount if line else NOTHING) - amount) < 0:
                yield _owed_back(key, owed, line)


def _entitled(scheme: Scheme, key: LineKey) -> tuple[object, ...]:
    """Return who is entitled to what: what a professional is paid once does not depend on account and software."""
    return (key.provider_code,) if scheme.unit is Unit.PROFESSIONAL else key[2:]


def _owed_back(key: LineKey, owed: Decimal, line: Line | None) -> Line:
    return Line(
        scheme=key.scheme,
        of_quarter=key.of_quarter,
        payee_kind=PayeeKind.VENDOR if key.claim_id else PayeeKind.PROVIDER,
        payee=key.payee,
        provider_code=key.provider_code,
        product=key.product,
        documents=line.documents if line else 0,
        uncounted=line.uncounted if line else 0,
        withdrawn=line.withdrawn if line else 0,
        amount=owed,
        reasons=(Reason.CORRECTION, Reason.WITHDRAWN),
        claim_id=key.claim_id,
    )


def _order(key: LineKey) -> tuple[str, ...]:
    return (key.provider_code, key.payee, key.product, str(key.claim_id or UUID(int=0)))


def _appeals(quarter: Quarter, facts: Facts) -> Iterator[Line]:
    """Yield what upheld appeals add."""
    for one in facts.upheld:
        yield Line(
            scheme=one.key.scheme,
            of_quarter=one.key.of_quarter,
            payee_kind=one.payee_kind,
            payee=one.key.payee,
            provider_code=one.key.provider_code,
            product=one.key.product,
            documents=0,
            amount=one.amount,
            reasons=(Reason.APPEAL,),
            claim_id=one.key.claim_id,
            appeal_id=one.appeal_id,
        )
