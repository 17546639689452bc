"""What is unusual about the evidence that a decision pays for. Pure."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal

from esante.services.incentives.decisions.model import Line, Reason, Signal, SignalKind
from esante.services.incentives.evidence.model import UnusualCounts
from esante.services.incentives.schemes.model import Scheme, Unit
from esante.services.incentives.schemes.terms import IncentiveTerms


def find_signals(
    scheme: Scheme, lines: Sequence[Line], counts: Mapping[str, UnusualCounts], terms: IncentiveTerms
) -> list[Signal]:
    """Return what is unusual about the lines of a row that pay something. `counts`: by professional."""
    found = [*_claimed_twice(scheme, lines)] if scheme.unit is Unit.INSTALLATION else []
    for line in lines:
        numbers = counts.get(line.provider_code)
        if line.amount <= 0 or line.appeal_id or numbers is None:
            continue
        found += [
            Signal(
                scheme=scheme.key,
                payee=line.payee,
                provider_code=line.provider_code,
                kind=kind,
                part=part,
                whole=numbers.documents,
            )
            for kind, part in _unusual(scheme, numbers, terms)
        ]
    return [*dict.fromkeys(found)]


def _unusual(scheme: Scheme, numbers: UnusualCounts, terms: IncentiveTerms) -> Iterator[tuple[SignalKind, int]]:
    """Yield what is unusual in the numbers of a professional, with how many documents."""

    def makes_threshold(part: int, share: Decimal) -> bool:
        """Whether the threshold is reached by documents of which many are of this kind, and not without them."""
        is_many = scheme.threshold > 1 and part > 0 and part >= share * numbers.documents
        return is_many and numbers.documents - part < scheme.threshold

    if makes_threshold(numbers.last_days, terms.burst_share):
        yield SignalKind.BURST, numbers.last_days
    if makes_threshold(numbers.minimal, terms.minimal_share):
        yield SignalKind.MINIMAL, numbers.minimal
    if numbers.most_of_patient > terms.most_of_patient:
        yield SignalKind.ONE_PATIENT, numbers.most_of_patient
    whole = numbers.documents + numbers.withdrawn
    if numbers.withdrawn and numbers.withdrawn >= terms.cancelled_share * whole:
        yield SignalKind.CANCELLED, numbers.withdrawn


def _claimed_twice(scheme: Scheme, lines: Sequence[Line]) -> Iterator[Signal]:
    """Yield a signal for what is paid for an installation that several vendors claim with evidence."""
    by_code: dict[str, list[Line]] = defaultdict(list)
    for line in lines:
        by_code[line.provider_code].append(line)
    for code, rivals in by_code.items():
        if any(Reason.CLAIMED_TWICE in one.reasons for one in rivals):
            for one in rivals:
                if one.amount > 0:
                    yield Signal(
                        scheme=scheme.key,
                        payee=one.payee,
                        provider_code=code,
                        kind=SignalKind.CLAIMED_TWICE,
                        part=len(rivals),
                        whole=len(rivals),
                    )
