"""A slow, plain twin of the rules of articles 9 and 10, written from their text: what is paid of a session's acts."""

from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal

CENT = Decimal("0.01")


@dataclass(frozen=True)
class Billed:
    """A line: its unrounded price without letters, the price of one act with them, and what the nomenclature remarks."""

    code: str
    chapter: str
    exact: Decimal
    unit: Decimal
    quantity: int
    cac: bool = False
    cat: bool = False
    part_of: tuple[str, ...] = ()

    @property
    def technical(self) -> bool:
        return self.chapter in ("technical", "radiology")


def clash(general: Billed, technical: Billed) -> bool:
    """Whether a general act is not paid beside a technical one (here without hospital acts)."""
    if general.chapter in ("report", "travel", "home_visit"):
        return False
    return not technical.cac


def technical_amounts(lines: list[tuple[int, Billed]]) -> dict[int, Decimal]:
    """What is paid of technical acts, by number of the line: every single act is written out and ranked."""
    paid = {number: one.unit * one.quantity if one.cat else Decimal(0) for number, one in lines}
    places: list[tuple[Decimal, Decimal, int, list[tuple[int, Decimal]]]] = []
    rays = [(number, one) for number, one in lines if one.chapter == "radiology" and not one.cat]
    for number, one in lines:
        if one.chapter == "technical" and not one.cat:
            places += [(one.exact, one.unit, -number, [(number, one.unit)]) for _ in range(one.quantity)]
    if rays:
        weight = sum((one.exact * one.quantity for _, one in rays), Decimal(0))
        amounts = [(number, one.unit * one.quantity) for number, one in rays]
        places.append((weight, sum((amount for _, amount in amounts), Decimal(0)), 0, amounts))
    for place, (_, _, _, amounts) in enumerate(sorted(places, reverse=True)):
        for number, amount in amounts:
            if place == 0:
                paid[number] += amount
            elif place < 3:
                paid[number] += amount / 2
    return paid


def session_amounts(lines: list[Billed]) -> list[Decimal]:
    """What is paid of each line of a session, to the cent."""
    numbered = list(enumerate(lines))
    codes = {one.code for one in lines}
    kept = [(number, one) for number, one in numbered if not codes & set(one.part_of)]
    general = [item for item in kept if not item[1].technical]
    technical = [item for item in kept if item[1].technical]

    def priced(some_general: list[tuple[int, Billed]], some_technical: list[tuple[int, Billed]]) -> dict[int, Decimal]:
        return {number: one.unit * one.quantity for number, one in some_general} | technical_amounts(some_technical)

    harmless_technical = [item for item in technical if not any(clash(one, item[1]) for _, one in general)]
    harmless_general = [item for item in general if not any(clash(item[1], one) for _, one in technical)]
    first, second = priced(general, harmless_technical), priced(harmless_general, technical)
    best = first if sum(first.values()) >= sum(second.values()) else second
    return [best.get(number, Decimal(0)).quantize(CENT, ROUND_HALF_UP) for number, _ in numbered]
