"""The checks before a dose is entered: what is impossible is refused, what is unusual is a warning with a name.

A warning never blocks: the professional decides, and gives a reason, which stays with the dose.
"""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta

from esante.core.web import N_, Problem, bad_request
from esante.services.vaccination.card.checks import CheckTerms, ContraindicationKind, may_vaccinate
from esante.services.vaccination.card.model import (
    REFUSALS,
    ROUTES,
    SITES,
    Card,
    Dose,
    DoseEntry,
    DoseStatus,
    Warning,
)
from esante.services.vaccination.products.catalogue import Catalogue, Product

MAX_TEXT, MAX_NOTE = 80, 300
MAX_DOSE_NUMBER = 50
_FUTURE = N_("This day is in the future.")
_CHECK_DATE = N_("Check the date.")
_WITHOUT_AGE = N_("This vaccine is not meant for this age.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Situation:
    """What the checks look at beside the entry: the person, their card, and what others know of the pack.

    `not_counting`: the antigens for which the dose would not count by the calendar, with reason (a msgid) and source.
    `pack_used`: the serial number of the pack is in some card already. `recalled`: an operator recalled the lot.
    """

    birth_date: date
    death_date: date | None
    card: Card
    today: date
    catalogue: Catalogue
    terms: CheckTerms
    contraindications: Mapping[str, ContraindicationKind]
    profession: str = ""
    not_counting: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    pack_used: bool = False
    recalled: bool = False


def require_possible(entry: DoseEntry, situation: Situation) -> None:
    """Raise `Problem` for an entry that cannot be true, or not be understood."""
    _require_known(entry, situation.catalogue)
    if entry.status is DoseStatus.NOT_GIVEN and entry.reason not in REFUSALS:
        raise bad_request("reason", N_("Choose why it was not given."), code="required")
    if not entry.occurred:
        if entry.given_here or entry.status is not DoseStatus.GIVEN:
            raise bad_request("occurred", N_("The date is missing."), N_("Enter the day."), code="required")
        return
    if entry.day is None and (entry.given_here or entry.status is not DoseStatus.GIVEN):
        _span(entry.occurred)
        raise bad_request("occurred", N_("The day is missing."), N_("Enter the whole date."), code="required")
    require_day(
        entry.occurred, birth_date=situation.birth_date, death_date=situation.death_date, today=situation.today
    )


def require_day(occurred: str, *, birth_date: date, death_date: date | None, today: date) -> None:
    """Raise `Problem` for a FHIR date that is in the future, before birth or after death; "" is none of these."""
    if not occurred:
        return
    first, last = _span(occurred)
    if first > today:
        raise bad_request("occurred", _FUTURE, _CHECK_DATE, code="value")
    if last < birth_date:
        raise bad_request("occurred", N_("This day is before the patient was born."), _CHECK_DATE, code="value")
    if death_date is not None and first > death_date:
        raise bad_request("occurred", N_("This day is after the patient died."), _CHECK_DATE, code="value")


def first_day(occurred: str) -> date | None:
    """Return the first day of a FHIR date, None for no date."""
    return _span(occurred)[0] if occurred else None


def require_short(place: str, text: str) -> None:
    """Raise `Problem` for a text that is too long for a line, or has characters that cannot be printed."""
    if len(text) > MAX_TEXT or not text.isprintable():
        raise bad_request(place, N_("This text is too long."), N_("Use fewer words."), code="too-long")


def require_vaccinator(entry: DoseEntry, profession: str, catalogue: Catalogue) -> None:
    """Raise `Problem` 403 unless a profession may give the vaccine of an entry on its day."""
    if not entry.given_here or entry.status is not DoseStatus.GIVEN or entry.day is None:
        return
    require_profession(profession, antigens_of(entry, catalogue), entry.day)


def require_profession(profession: str, antigens: Collection[str], on: date) -> None:
    """Raise `Problem` 403 unless a profession may give a vaccine against some antigens on a day."""
    if not may_vaccinate(profession, antigens, on):
        raise Problem(
            403,
            "forbidden",
            N_("Your profession does not give this vaccine."),
            place="product",
            remedy=N_("You can copy it from a paper card instead, if somebody else gave it."),
        )


def find_warnings(entry: DoseEntry, situation: Situation) -> list[Warning]:
    """Return everything unusual about a dose that is being given, in the order of the checks."""
    if entry.status is not DoseStatus.GIVEN or not entry.given_here or entry.day is None:
        return [*_repeated(entry, situation)] if entry.status is DoseStatus.GIVEN else []
    product = situation.catalogue.products.get(entry.product)
    checks = (_pack, _age, _live_interval, _too_early, _contraindicated, _repeated)
    return [warning for check in checks for warning in check(entry, situation, product)]


def antigens_of(entry: DoseEntry, catalogue: Catalogue) -> tuple[str, ...]:
    """Return what an entry protects against."""
    product = catalogue.products.get(entry.product)
    return product.antigens if product else entry.antigens


def _require_known(entry: DoseEntry, catalogue: Catalogue) -> None:
    if entry.product and entry.product not in catalogue.products:
        raise bad_request(
            "product", N_("This vaccine is not in the list."), N_("Choose it from the list."), code="value"
        )
    if unknown := set(entry.antigens) - set(catalogue.antigens):
        raise bad_request("antigens", N_("This disease is not in the list."), detail=", ".join(sorted(unknown)))
    if not entry.product and not entry.antigens:
        raise bad_request(
            "product",
            N_("The vaccine is missing."),
            N_("Choose the vaccine, or what it protects against."),
            code="required",
        )
    if entry.site and entry.site not in SITES:
        raise bad_request("site", N_("This body site is not in the list."), code="value")
    if entry.route and entry.route not in ROUTES:
        raise bad_request("route", N_("This way of giving a vaccine is not in the list."), code="value")
    if entry.dose_number is not None and not 1 <= entry.dose_number <= MAX_DOSE_NUMBER:
        raise bad_request(
            "dose_number", N_("This is not a number of a dose."), detail=f"1-{MAX_DOSE_NUMBER}", code="value"
        )
    for place in ("lot", "serial", "name", "place"):
        require_short(place, getattr(entry, place))
    for text in (entry.note, *(override.reason for override in entry.overrides)):
        if len(text) > MAX_NOTE or not text.isprintable():
            raise bad_request("note", N_("This text is too long."), N_("Use fewer words."), code="too-long")


def _span(occurred: str) -> tuple[date, date]:
    """Return the first and the last day of a FHIR date. Raises: `Problem` 400 for another text."""
    try:
        match occurred.split("-"):
            case [year]:
                return date(int(year), 1, 1), date(int(year), 12, 31)
            case [year, month]:
                first = date(int(year), int(month), 1)
                return first, (first + timedelta(days=31)).replace(day=1) - timedelta(days=1)
            case _:
                return date.fromisoformat(occurred), date.fromisoformat(occurred)
    except (ValueError, OverflowError) as error:
        raise bad_request(
            "occurred", N_("This is not a valid day."), N_("Use the format YYYY-MM-DD."), code="value"
        ) from error


Checked = Iterator[Warning]


def _pack(entry: DoseEntry, situation: Situation, product: Product | None) -> Checked:
    day = entry.day or situation.today
    if not entry.lot:
        yield Warning(
            rule="lot-missing", text=N_("The lot number is missing. Without it, a recall cannot reach the patient.")
        )
    if entry.expires_on is not None and entry.expires_on < day:
        text = N_("The vaccine expired on %(day)s.")
        yield Warning(rule="expired", text=text, details={"day": entry.expires_on.isoformat()})
    implausible = day + timedelta(days=situation.terms.longest_shelf_life_days)
    if (entry.produced_on is not None and entry.produced_on > day) or (entry.expires_on or day) > implausible:
        text = N_("The dates of this lot lie in the future. Check the pack.")
        yield Warning(rule="lot-in-future", text=text, legal_source=situation.terms.legal_source)
    if situation.recalled or (entry.lot and product and situation.catalogue.is_recalled(product.key, entry.lot, day)):
        text = N_("This lot was recalled. Do not give it without asking the manufacturer.")
        yield Warning(rule="recalled", text=text)
    if situation.pack_used:
        text = N_("This pack (serial number) has been used already. That is usual only for packs of several doses.")
        yield Warning(rule="pack-used", text=text)


def _age(entry: DoseEntry, situation: Situation, product: Product | None) -> Checked:
    if product is None or entry.day is None:
        return
    too_young = product.min_age is not None and entry.day < product.min_age.on(situation.birth_date)
    too_old = product.max_age is not None and entry.day >= product.max_age.on(situation.birth_date)
    if too_young or too_old:
        yield Warning(rule="wrong-age", text=_WITHOUT_AGE, legal_source=product.legal_source)


def _live_interval(entry: DoseEntry, situation: Situation, product: Product | None) -> Checked:
    """Yield a warning unless two live injected vaccines are given on one day, or with an interval."""
    if product is None or not product.live or not product.injected or entry.day is None:
        return
    interval = timedelta(days=situation.terms.live_interval_days)
    for dose in situation.card.given:
        other = situation.catalogue.products.get(dose.product)
        if other is None or not (other.live and other.injected) or dose.day is None:
            continue
        if timedelta(0) < abs(entry.day - dose.day) < interval:
            yield Warning(
                rule="live-interval",
                text=N_("%(vaccine)s, another live vaccine, was given on %(day)s: less than %(days)s days apart."),
                details={
                    "vaccine": dose.name,
                    "day": dose.day.isoformat(),
                    "days": str(situation.terms.live_interval_days),
                },
                legal_source=situation.terms.legal_source,
            )
            return


def _too_early(entry: DoseEntry, situation: Situation, product: Product | None) -> Checked:
    """Yield a warning for each reason for which the dose would not count by the calendar."""
    for reason, source in dict.fromkeys(situation.not_counting.values()):
        antigens = [key for key, found in situation.not_counting.items() if found == (reason, source)]
        yield Warning(
            rule="too-early",
            text=N_("By the vaccination calendar, this dose would not count against %(antigens)s: %(reason)s."),
            details={"antigens": " ".join(antigens), "reason": reason},
            legal_source=source,
        )


def _contraindicated(entry: DoseEntry, situation: Situation, product: Product | None) -> Checked:
    day = entry.day or situation.today
    given = set(antigens_of(entry, situation.catalogue))
    for one in situation.card.contraindications:
        kind = situation.contraindications.get(one.kind)
        if kind is None or not one.is_in_force(day):
            continue
        if given & set(kind.antigens) or (kind.live and product is not None and product.live):
            text = N_("There is a contraindication.")
            yield Warning(
                rule="contraindication", text=text, details={"kind": one.kind}, legal_source=kind.legal_source
            )


def _repeated(entry: DoseEntry, situation: Situation, product: Product | None = None) -> Checked:
    """Yield a warning where the same dose is in the card already, or another one with its number."""
    given = set(antigens_of(entry, situation.catalogue))
    like = [dose for dose in situation.card.given if given & set(dose.antigens)]
    if entry.day is not None and any(dose.day == entry.day for dose in like):
        text = N_("A dose against the same disease is already in the card for this day.")
        yield Warning(rule="same-day", text=text)
    elif entry.dose_number and any(_has_number(dose, entry.dose_number, given) for dose in like):
        text = N_("A dose with this number is already in the card.")
        yield Warning(rule="number-repeated", text=text)


def _has_number(dose: Dose, number: int, antigens: Collection[str]) -> bool:
    return dose.dose_number == str(number) and set(antigens) <= set(dose.antigens)
