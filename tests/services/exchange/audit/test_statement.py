"""Statements of messages: signed, read only from their country, and compared with each other."""

from collections import Counter
from datetime import UTC, datetime

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from joserfc import jws
from joserfc.jwk import RSAKey

from esante.core import clock
from esante.services.exchange.audit.model import Side
from esante.services.exchange.audit.statement import (
    FORMAT,
    Difference,
    Line,
    Statement,
    read_statement,
    reconcile,
    write_statement,
)
from esante.services.exchange.contact_points import ContactPoint
from esante.services.exchange.contact_points.registration import read_registration
from esante.services.exchange.model import NotUsable
from tests.support.contact_points import trial_country

AT = datetime(2026, 11, 30, 12, tzinfo=UTC)
OTHER = {Side.ASKED: Side.ANSWERED, Side.ANSWERED: Side.ASKED}


def line(message_id: str = "urn:uuid:1", side: Side = Side.ASKED, request: str = "aa", answer: str = "bb") -> Line:
    return Line(
        side=side,
        transaction="ITI-55",
        message_id=message_id,
        answer_id="urn:uuid:2",
        request_hash=request,
        answer_hash=answer,
        outcome="",
        at=AT,
    )


def mirrored(one: Line) -> Line:
    """Return a message as the other side states it."""
    return msgspec.structs.replace(one, side=OTHER[one.side])


def registered(country: str) -> ContactPoint:
    there = trial_country(country)
    return read_registration(there.files(), (), there.confirmed, clock.now())


def stated(sender: str = "PT", to: str = "LU", lines: tuple[Line, ...] = ()) -> Statement:
    return Statement(format=FORMAT, from_=sender, to=to, month="2026-11", journal="", messages=list(lines))


def test_statement_is_read_back_by_the_country_that_it_is_for() -> None:
    statement = stated(lines=(line(), line("urn:uuid:3", Side.ANSWERED)))
    text = write_statement(statement, trial_country("PT").own.issuer)
    assert read_statement(text, [registered("MT"), registered("PT")], "LU") == statement


def test_statement_sealed_by_another_country_than_it_names_is_refused() -> None:
    text = write_statement(stated("PT"), trial_country("MT").own.issuer)
    with pytest.raises(NotUsable, match="from PT for LU, sealed by MT"):
        read_statement(text, [registered("MT"), registered("PT")], "LU")


def test_statement_for_another_country_is_refused() -> None:
    text = write_statement(stated(to="MT"), trial_country("PT").own.issuer)
    with pytest.raises(NotUsable, match="for MT"):
        read_statement(text, [registered("PT")], "LU")


def test_altered_statement_and_one_of_an_unknown_country_are_refused() -> None:
    text = write_statement(stated(lines=(line(),)), trial_country("PT").own.issuer)
    head, payload, signature = text.split(".")
    for wrong in (f"{head}.{payload[:-4]}AAAA.{signature}", f"{head}.{payload}.", "nonsense", ""):
        with pytest.raises(NotUsable, match="no seal"):
            read_statement(wrong, [registered("PT")], "LU")
    with pytest.raises(NotUsable, match="no seal"):
        read_statement(text, [registered("MT")], "LU")


@pytest.mark.parametrize("typ", ["JWT", None])
def test_other_signed_things_of_the_same_seal_are_no_statements(typ: str | None) -> None:
    key = RSAKey.import_key(trial_country("PT").own.issuer.key)
    header = {"alg": "RS256"} | ({"typ": typ} if typ else {})
    text = jws.serialize_compact(header, msgspec.json.encode(stated()), key, algorithms=["RS256"])
    with pytest.raises(NotUsable, match="no seal"):
        read_statement(text, [registered("PT")], "LU")


def test_statement_of_another_form_is_refused() -> None:
    key = RSAKey.import_key(trial_country("PT").own.issuer.key)
    text = jws.serialize_compact({"alg": "RS256", "typ": FORMAT}, b'{"from": 1}', key, algorithms=["RS256"])
    with pytest.raises(NotUsable, match="another form"):
        read_statement(text, [registered("PT")], "LU")


def test_alike_statements_have_no_differences() -> None:
    here = [line(), line("urn:uuid:3", Side.ANSWERED), line("urn:uuid:4", answer="")]
    assert list(reconcile(here, [mirrored(one) for one in here])) == []


@pytest.mark.parametrize(
    ("here", "there", "difference"),
    [
        (line(), None, Difference.MISSING_THERE),
        (None, line(side=Side.ANSWERED), Difference.MISSING_HERE),
        (line(), line(side=Side.ANSWERED, request="cc"), Difference.REQUEST),
        (line(), line(side=Side.ANSWERED, answer="cc"), Difference.ANSWER),
        (line(answer=""), line(side=Side.ANSWERED), Difference.NO_ANSWER),
    ],
)
def test_each_difference_is_named(here: Line | None, there: Line | None, difference: Difference) -> None:
    (found,) = reconcile([here] if here else [], [there] if there else [])
    assert (found.difference, found.here, found.there) == (difference, here, there)


def test_own_message_is_not_taken_for_that_of_the_other_side() -> None:
    found = [one.difference for one in reconcile([line()], [line()])]
    assert Counter(found) == Counter([Difference.MISSING_THERE, Difference.MISSING_HERE])


lines = st.builds(
    line,
    st.sampled_from(["1", "2", "3"]),
    st.sampled_from(list(Side)),
    st.sampled_from(["aa", "bb"]),
    st.sampled_from(["", "cc"]),
)


@given(st.lists(lines, max_size=12), st.randoms(use_true_random=False))
def test_order_does_not_matter_and_every_message_is_compared_once(here: list[Line], random: object) -> None:
    there = [mirrored(one) for one in here]
    random.shuffle(there)  # type: ignore[attr-defined]
    differences = list(reconcile(here, there))
    assert not [one for one in differences if one.difference in (Difference.MISSING_HERE, Difference.MISSING_THERE)]
    extra = line("9")
    assert Difference.MISSING_THERE in [one.difference for one in reconcile([*here, extra], there)]
    assert len([one for one in reconcile(here, []) if one.difference is Difference.MISSING_THERE]) == len(here)
