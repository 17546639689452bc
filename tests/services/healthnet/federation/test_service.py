"""Agreements from proposal to end: two operators, signed documents, overlaps, what the policy may say."""

import json
from datetime import timedelta
from ipaddress import IPv4Network, IPv6Network

import pytest

from esante.core import clock
from esante.core.clock import use_clock
from esante.core.time_zone import today
from esante.core.web import Problem
from esante.identity.access import Requester
from esante.services.healthnet.federation.document import FORMAT, verify_document
from esante.services.healthnet.federation.model import AgreementState, FederationKind
from tests.support.federations import OtherOperator, terms

REASON = "A reason that is long enough."


async def refused(status, act):
    with pytest.raises(Problem) as error:
        await act
    assert error.value.status == status, error.value.detail
    return error.value.detail


async def test_agreement_of_two_operators_connects_the_other_network_and_its_end_cuts_it_off(found):
    made = await found.federations.propose(found.world.ann, found.luxith.document(), found.luxith.key)
    assert await found.connected() == {}
    await refused(403, found.federations.decide(found.world.ann, made.agreement_id, approved=True))
    agreed = await found.federations.decide(found.world.ben, made.agreement_id, approved=True)
    assert await found.connected() == {agreed.site: "federation:luxith"}
    await found.federations.end(found.world.ann, agreed.agreement_id, REASON)
    (cut,) = await found.connections.all()
    assert cut.is_suspended and await found.connected() == {}
    assert [one for one in await found.world.events() if one == "agreement_changed"] == ["agreement_changed"] * 3


async def test_only_operators_see_and_decide(found):
    agreed, other = await found.agreed(), Requester(kind="practitioner", id=found.world.ann.id, name="X")
    acts = found.federations
    await refused(403, acts.propose(other, found.luxith.document(2), found.luxith.key))
    await refused(403, acts.decide(other, agreed.agreement_id, approved=True))
    await refused(403, acts.end(other, agreed.agreement_id, REASON))
    await refused(403, acts.find(other, agreed.agreement_id))
    await refused(403, acts.page(other, "", None))


async def test_forged_document_and_one_of_another_key_are_refused(found, tmp_path):
    thief = OtherOperator(tmp_path / "thief", "luxith.example")
    document = found.luxith.document()
    changed = document.replace("results", "record")
    for text, key in ((document, thief.key), (thief.document(), found.luxith.key), (changed, found.luxith.key)):
        assert "signature is invalid" in await refused(400, found.federations.propose(found.world.ann, text, key))
    named = found.luxith.document(sender="other.example")
    assert "the document is from" in await refused(
        400, found.federations.propose(found.world.ann, named, found.luxith.key)
    )
    await refused(400, found.federations.propose(found.world.ann, document, "nonsense"))


@pytest.mark.parametrize("text", ["", "x" * 30_000, "a\n\n— b AAAA\n", "\x00", "{}", "[" * 9_000])
async def test_what_is_no_document_is_refused(found, text):
    await refused(400, found.federations.propose(found.world.ann, text, found.luxith.key))


async def test_document_for_another_network_or_past_its_time_is_refused(found):
    past = terms(valid_from=today() - timedelta(days=9), valid_until=today() - timedelta(days=1))
    for document, why in (
        (found.luxith.document(recipient="other.example"), "is for other.example"),
        (found.luxith.document(agreed=past), "ended already"),
    ):
        assert why in await refused(400, found.federations.propose(found.world.ann, document, found.luxith.key))


async def test_document_that_comes_again_is_refused_and_a_newer_one_replaces_it(found):
    first = await found.agreed(found.luxith.document(3))
    for number in (1, 3):
        document = found.luxith.document(number)
        assert "came before" in await refused(
            400, found.federations.propose(found.world.ann, document, found.luxith.key)
        )
    second = await found.agreed(found.luxith.document(4))
    assert second.site == first.site
    before = await found.federations.find(found.world.ann, first.agreement_id)
    assert before.state is AgreementState.SUPERSEDED
    assert await found.connected() == {first.site: "federation:luxith"}
    await found.federations.end(found.world.ann, second.agreement_id, REASON)
    assert "came before" in await refused(
        400, found.federations.propose(found.world.ann, found.luxith.document(4), found.luxith.key)
    )


async def test_another_key_may_not_take_a_federation_over(found, tmp_path):
    await found.agreed()
    thief = OtherOperator(tmp_path / "thief", "luxith.example")
    document = thief.document(2)
    assert "another key" in await refused(400, found.federations.propose(found.world.ann, document, thief.key))


@pytest.mark.parametrize(
    ("network6", "network4"),
    [
        ("fd5a:4c58:e540::/48", "10.120.0.0/16"),
        ("fd5a:4c58:e540:7::/64", "10.120.0.0/16"),
        ("fd5a:4c58::/32", "10.120.0.0/16"),
        ("fd77:1::/48", "10.96.8.0/24"),
        ("fd77:1::/48", "10.0.0.0/8"),
    ],
)
async def test_prefix_that_overlaps_with_ours_is_refused(found, network6, network4):
    document = found.luxith.document(network6=IPv6Network(network6), network4=IPv4Network(network4))
    assert "overlap" in await refused(400, found.federations.propose(found.world.ann, document, found.luxith.key))


async def test_prefix_that_overlaps_with_another_federation_is_refused(found, tmp_path):
    await found.agreed()
    other = OtherOperator(tmp_path / "o", "other.example")
    for six, four in (("fd77:1:0:200::/56", "10.121.0.0/16"), ("fd78::/48", "10.120.9.0/24")):
        agreed = terms("other", uses=frozenset({"results"}), offers=frozenset())
        document = other.document(agreed=agreed, network6=IPv6Network(six), network4=IPv4Network(four))
        assert "federation luxith" in await refused(
            400, found.federations.propose(found.world.ann, document, other.key)
        )


async def test_agreement_that_names_less_than_the_policy_allows_is_refused(found):
    narrow = found.luxith.document(agreed=terms(offers=frozenset()))
    made = await found.federations.propose(found.world.ann, narrow, found.luxith.key)
    why = await refused(400, found.federations.decide(found.world.ben, made.agreement_id, approved=True))
    assert why == (
        "p.yaml:14: rule images lets federation luxith be reached by images, which the agreement does not name; "
        "narrow the rule, or agree it with the other operator"
    )
    assert await found.connected() == {}


async def test_network_is_cut_off_when_a_later_policy_allows_it_more_and_when_its_time_is_over(found):
    agreed = await found.agreed(found.luxith.document(agreed=terms(valid_until=today() + timedelta(days=1))))
    assert await found.connected() == {agreed.site: "federation:luxith"}
    text = found.text
    found.text = text.replace("theirs: {allow: luxith,", "theirs: {allow: [luxith, hospitals],").replace(
        "offered-by: laboratories", "offered-by: [laboratories, luxith]"
    )
    assert await found.connected() == {}
    found.text = text
    assert await found.connected() == {agreed.site: "federation:luxith"}
    later = clock.now() + timedelta(days=3)
    with use_clock(lambda: later):
        assert await found.connected() == {}


async def test_our_side_is_signed_and_mirrors_theirs(found):
    agreed = await found.agreed()
    text = await found.federations.export(found.world.ann, agreed.agreement_id)
    stated = verify_document(text, found.federations.signer.verifier)
    assert (stated.terms.uses, stated.terms.offers) == (agreed.terms.offers, agreed.terms.uses)
    assert (stated.sender, stated.recipient) == ("healthnet.internal", "luxith.example")
    assert stated.network6 == found.world.addresses.plan.prefix6


BORDER = {"kind": FederationKind.CROSS_BORDER, "offers": frozenset()}


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        (BORDER | {"uses": frozenset({"results"}), "sites": frozenset({"S00001"})}, "has one service"),
        (BORDER | {"uses": frozenset({"cross-border-exchange"})}, "has one site of ours"),
        ({"uses": frozenset({"images"})}, "both directions"),
        ({"uses": frozenset(), "offers": frozenset()}, "names no service"),
        ({"valid_until": today() - timedelta(days=30)}, "ends before it begins"),
        ({"valid_until": today() + timedelta(days=2_000)}, "longer than three years"),
        ({"uses": frozenset({"Results!"})}, "is no name"),
    ],
)
async def test_document_that_contradicts_itself_is_refused(found, changed, why):
    document = found.luxith.document(agreed=terms(**changed))
    assert why in await refused(400, found.federations.propose(found.world.ann, document, found.luxith.key))


@pytest.mark.parametrize(
    ("field", "value"),
    [("prefix6", "::/0"), ("prefix6", "10.0.0.0/16"), ("prefix4", "127.0.0.0/8"), ("prefix6", "ff00::/32"),
     ("number", 0), ("number", -1), ("number", "1"), ("kind", "x"), ("more", 1), ("valid_from", "x"), ("from", "")],
)  # fmt: skip
async def test_document_with_a_wrong_value_is_refused(found, field, value):
    content = json.loads(found.luxith.document().split("\n")[1]) | {field: value}
    document = found.luxith.signer.sign(FORMAT, json.dumps(content))
    await refused(400, found.federations.propose(found.world.ann, document, found.luxith.key))
    unknown = found.luxith.signer.sign("esante-healthnet-agreement/2", json.dumps(content))
    assert "has the format" in await refused(
        400, found.federations.propose(found.world.ann, unknown, found.luxith.key)
    )
