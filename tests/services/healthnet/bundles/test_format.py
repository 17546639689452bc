"""Bundles: canonical JSON, changes, and what is refused."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from esante.services.healthnet.bundles.format import (
    CLOCK_TOLERANCE,
    BundleRefused,
    ChangesDoNotFit,
    Head,
    canonical,
    changed,
    changes,
    open_envelope,
)
from esante.services.healthnet.bundles.signer import VALIDITY, BundleSigner, changes_envelope, head_of, whole_envelope

NOW = 1_800_000_000
SIGNER, STRANGER = BundleSigner(b"s" * 32), BundleSigner(b"t" * 32)
_values = st.recursive(st.integers(-(2**53), 2**53) | st.text(max_size=5) | st.booleans(), st.lists, max_leaves=4)
_parts = st.dictionaries(
    st.sampled_from("abc"), st.dictionaries(st.text(max_size=4), _values, min_size=1, max_size=4), max_size=3
)


def made(serial, parts, signer=SIGNER, site="A0", now=NOW, **head):
    """An envelope with whole parts."""
    text = Head(**{**vars(head_of(site, serial, parts, now)), **head}).encoded()
    return whole_envelope(text.decode(), [signer.sign(text)], parts)


def opened(envelope, known=None, now=NOW, site="A0"):
    return open_envelope(envelope, SIGNER.trusted, site, now, known)


@given(st.dictionaries(st.text(max_size=6), _values, max_size=5))
def test_canonical_json_is_that_of_the_standard_library(value):
    assert canonical(value) == json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


@given(_parts, _parts)
def test_changes_make_the_earlier_parts_the_later_ones(before, after):
    assert changed(before, changes(before, after)) == after


@given(_parts, _parts)
def test_envelope_with_changes_gives_the_same_bundle_as_a_whole_one(before, after):
    known = opened(made(1, before))
    text = head_of("A0", 2, after, NOW).encoded()
    delta = changes_envelope(text.decode(), [SIGNER.sign(text)], after, 1, before)
    assert opened(json.loads(json.dumps(delta)), known) == opened(made(2, after), known)


PARTS = {"site": {"mtu": 1420}}
FORGED = {
    "another key": made(2, PARTS, STRANGER),
    "another site": made(2, PARTS, site="A1"),
    "no signature": {**made(2, PARTS), "signatures": []},
    "other parts": {**made(2, PARTS), "parts": {"site": {"mtu": 9000}}},
    "the same serial": made(1, PARTS),
    "an earlier serial": made(0, PARTS),
    "another format": made(2, PARTS, format=2),
    "not yet valid": made(2, PARTS, now=NOW + CLOCK_TOLERANCE + 60),
    "expired": made(2, PARTS, now=NOW - VALIDITY - CLOCK_TOLERANCE - 60),
    "no object": [],
    "head is no text": {**made(2, PARTS), "head": {}},
    "unknown field": made(2, PARTS) | {"head": '{"x":1}'},
    "deep": {**made(2, PARTS), "parts": None},
}


@pytest.mark.parametrize("what", FORGED)
def test_forged_replayed_or_damaged_bundle_is_refused(what):
    with pytest.raises(BundleRefused):
        opened(FORGED[what], opened(made(1, PARTS)))


def test_head_of_one_signature_with_another_head_is_refused():
    envelope = made(2, PARTS)
    envelope["head"] = envelope["head"].replace('"serial":2', '"serial":9')
    with pytest.raises(BundleRefused, match="signature"):
        opened(envelope)


def test_signature_for_another_purpose_is_refused():
    text = head_of("A0", 2, PARTS, NOW).encoded()
    with pytest.raises(BundleRefused, match="signature"):
        opened(whole_envelope(text.decode(), [SIGNER.sign(text, b"")], PARTS))


def test_algorithm_that_is_not_that_of_the_trusted_key_is_refused():
    envelope = made(2, PARTS)
    envelope["signatures"][0]["algorithm"] = "none"
    with pytest.raises(BundleRefused, match="algorithm"):
        opened(envelope)


@pytest.mark.parametrize("seconds", [-CLOCK_TOLERANCE + 5, CLOCK_TOLERANCE - 5])
def test_clock_that_differs_a_little_is_tolerated(seconds):
    assert opened(made(1, PARTS), now=NOW + seconds).head.serial == 1


def test_changes_of_another_bundle_ask_for_the_whole_one():
    text = head_of("A0", 3, PARTS, NOW).encoded()
    envelope = changes_envelope(text.decode(), [SIGNER.sign(text)], PARTS, 2, {})
    with pytest.raises(ChangesDoNotFit):
        opened(envelope, opened(made(1, PARTS)))
    with pytest.raises(ChangesDoNotFit):
        opened(envelope)


def test_restored_content_has_a_higher_serial():
    known = opened(made(5, PARTS))
    assert opened(made(6, {"site": {"mtu": 1280}}, restores=4), known).head.restores == 4
