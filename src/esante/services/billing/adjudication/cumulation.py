"""Several acts of one session: the same person, day and provider (articles 9 and 10 of the nomenclature).

Article 10 says which general and technical acts go together, else the higher side is paid; article 9 what is paid of
several technical acts: the one with the highest coefficient in full, half of the second and third, nothing of others.
Acts of an earlier note have been paid: they keep their places, and what does not go with them is refused.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal

from esante.services.billing.adjudication.line_state import LineState
from esante.services.billing.adjudication.model import Effect
from esante.services.billing.adjudication.terms import RuleInForce
from esante.services.billing.nomenclature import Act, Chapter, Flag, Part

Parts = list[tuple[int, Decimal]]
_ALL, _NOTHING = Decimal(1), Decimal(0)


def settle_session(lines: Sequence[LineState]) -> None:
    """Refuse the acts of a session that do not go with others, and set what part of the others is paid."""
    first = lines[0]
    earlier = first.history.session(first.on, first.provider_code)
    if len(lines) == 1 and not earlier and lines[0].line.quantity == 1:
        return
    _refuse_parts(lines, earlier)
    _refuse_side(lines, earlier)
    technical = [one for one in lines if not one.refused and one.part is Part.TECHNICAL]
    rule = first.rules.rules.get("cumulation.half")
    if technical and rule is not None:
        _reduce(technical, _places(earlier), rule)


def _refuse_parts(lines: Sequence[LineState], earlier: Sequence[Act]) -> None:
    codes = {one.act.code for one in lines} | {act.code for act in earlier}
    for state in lines:
        if found := state.act.part_of & codes:
            state.apply("cumulation.part-of", (("code", state.act.code), ("other", min(found))))


def _refuse_side(lines: Sequence[LineState], earlier: Sequence[Act]) -> None:
    """Refuse, where general and technical acts do not go together, those of the lower side (article 10)."""
    rule = lines[0].rules.rules.get("cumulation.general-technical")
    if rule is None:
        return
    _refuse_beside_earlier(lines, earlier, rule)
    general = [one for one in lines if not one.refused and one.part is Part.GENERAL]
    technical = [one for one in lines if not one.refused and one.part is Part.TECHNICAL]
    clashes = [
        (one, other) for one in general for other in technical if not _go_together(one.act, other.act, other, rule)
    ]
    if not clashes:
        return
    against_general = {id(one): other for one, other in clashes}
    against_technical = {id(other): one for one, other in clashes}
    places = _places(earlier)
    with_general = [one for one in technical if id(one) not in against_technical]
    with_technical = [one for one in general if id(one) not in against_general]
    keeps_general = _total(general, with_general, places) >= _total(with_technical, technical, places)
    for state in technical if keeps_general else general:
        other = (against_technical if keeps_general else against_general).get(id(state))
        if other is not None:
            state.find(rule, (("code", state.act.code), ("other", other.act.code)))


def _refuse_beside_earlier(lines: Sequence[LineState], earlier: Sequence[Act], rule: RuleInForce) -> None:
    for state in lines:
        for act in earlier:
            general, technical = (act, state.act) if state.part is Part.TECHNICAL else (state.act, act)
            if state.refused or (general.chapter.part, technical.chapter.part) != (Part.GENERAL, Part.TECHNICAL):
                continue
            if not _go_together(general, technical, state, rule):
                state.find(rule, (("code", state.act.code), ("other", act.code)))


def _go_together(general: Act, technical: Act, state: LineState, rule: RuleInForce) -> bool:
    """Return whether a general act is paid beside a technical one; `state` is the line of one of them."""
    params, chapter = rule.params, general.chapter.value
    if chapter in params["with_any"]:
        return True
    if chapter in params["with_cac"]:
        return Flag.CAC in technical.flags
    if chapter in params["without_urgent_surcharge"]:
        return not state.urgent
    listed = chapter in params["with_specialities"] and general.code not in params["without_codes"]
    return listed and not params["specialities"].isdisjoint(state.case.specialities)


def _total(general: Iterable[LineState], technical: Sequence[LineState], places: int) -> Decimal:
    """Return what is paid for acts that are billed together."""
    total = sum((one.unit * one.line.quantity for one in general), _NOTHING)
    if not technical:
        return total
    rule = technical[0].rules.rules.get("cumulation.half")
    parts = share_out(technical, places, rule.params["shares"] if rule else ())
    for state in technical:
        paid = parts.get(id(state), [(state.line.quantity, _ALL)])
        total += sum((count * part * state.unit for count, part in paid), _NOTHING)
    return total


def _places(earlier: Iterable[Act]) -> int:
    """Return how many technical acts of earlier notes count; radiology counts as one."""
    counted = [act for act in earlier if act.chapter.part is Part.TECHNICAL and Flag.CAT not in act.flags]
    radiology = sum(act.chapter is Chapter.RADIOLOGY for act in counted)
    return len(counted) - max(0, radiology - 1)


@dataclass(slots=True)
class _Ranked:
    """What takes a place among the technical acts of a session: one line, or all lines of radiology together."""

    lines: list[LineState] = field(default_factory=list)
    exact: Decimal = _NOTHING
    amount: Decimal = _NOTHING

    @property
    def order(self) -> tuple[Decimal, Decimal, Decimal, str, int]:
        """The highest coefficient is first; then what costs more, what is charged more, and the number of the line."""
        first = self.lines[0]
        return -self.exact, -self.amount, -first.charged, first.line.hospital_class, first.line.number


def share_out(lines: Sequence[LineState], places: int, shares: Sequence[Decimal]) -> Mapping[int, Parts]:
    """Return what part is paid of how many acts of each line, by `id` of the line; lines in full are left out.

    `places`: those that earlier acts have taken. `shares`: what is paid in each place, nothing beyond the last.
    """
    radiology, ranked = _Ranked(), []
    for state in lines:
        if Flag.CAT in state.act.flags or not shares:
            continue
        quantity = state.line.quantity
        if state.act.chapter is Chapter.RADIOLOGY:
            radiology.lines.append(state)
            radiology.exact += state.exact * quantity
            radiology.amount += state.unit * quantity
        else:
            ranked.append(_Ranked([state], state.exact, state.unit))
    if radiology.lines:
        ranked.append(radiology)
    found: dict[int, Parts] = {}
    for one in sorted(ranked, key=lambda one: one.order):
        if one is radiology:
            share = shares[places] if places < len(shares) else _NOTHING
            found |= {id(state): [(state.line.quantity, share)] for state in one.lines}
            places += 1
        else:
            quantity = one.lines[0].line.quantity
            parts = [(1, share) for share in shares[places : places + quantity]]
            if quantity > len(parts):
                parts.append((quantity - len(parts), _NOTHING))
            found[id(one.lines[0])] = parts
            places += quantity
    return found


def _reduce(technical: Sequence[LineState], places: int, rule: RuleInForce) -> None:
    """Set what is paid of the technical acts of a session, and find which rule reduces or refuses it (article 9)."""
    shared = share_out(technical, places, rule.params["shares"])
    for state in technical:
        parts = shared.get(id(state), ())
        if lowered := [part for _, part in parts if 0 < part < 1]:
            state.find(rule, (("share", str(min(lowered))),))
        if parts and not all(part for _, part in parts):
            extra = _polytrauma_share(state)
            partly = any(part for _, part in parts)
            if extra is not None:
                parts = [(count, part or extra) for count, part in parts]
                state.apply("cumulation.polytrauma", (("share", str(extra)),))
            else:
                state.apply("cumulation.beyond", (), Effect.REDUCED if partly else None)
        if parts:
            state.parts = list(parts)


def _polytrauma_share(state: LineState) -> Decimal | None:
    """Return what is paid of further acts after multiple injuries, None when the conditions are not met."""
    rule = state.rules.rules.get("cumulation.polytrauma")
    if rule is None or not state.case.note.indications.polytrauma:
        return None
    fits = state.line.hospital_class in rule.params["classes"] and state.approved
    return Decimal(rule.params["share"]) if fits else None
