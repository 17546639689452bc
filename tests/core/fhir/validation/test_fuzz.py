"""Fuzzing of the check: every input gets a valid OperationOutcome within a time limit."""

import copy
import json
import random
from time import thread_time

import pytest

from esante.core.fhir import check, encode, operation_outcome
from esante.core.fhir.rest.validate_operation import MAX_BODY, _validate
from esante.core.web import Problem
from tests.core.fhir.samples import allergy, composition, document, observation, patient
from tests.core.fhir.validation import expensive_resources, seeds

#: Seconds of processor time for one response; asserted in the long tests only.
MAX_SECONDS = 2.0

TOKENS = [
    b"{", b"}", b"[", b"]", b":", b",", b'"', b"\\", b"null", b"true", b"{}", b"[]", b"0", b"-1", b"1e400", b"1e-400", b"0.0",
    b"NaN", b'"\\u0000"', b'"\\ud800"', b"\\u0022", b"\xff", b"\xc3\xa9", b"\xef\xbb\xbf", b"\0", b" " * 50, b"\n" * 50, b"[" * 300,
    b'{"extension":' * 100, b"9" * 5_000, b'"' + b"x" * 3_000 + b'"', b'"resourceType":"Bundle"', b'"contained":[{}]', b'"id":"a"',
    b'"reference":"#a"', b'"extension":[{"url":"u"}]', b'"_birthDate":{}', b'"value":[null]', b'"valueString":""', b'"div":"<div',
    b'{"resourceType":"Parameters","parameter":[{"name":"resource","resource":', b'"2024-02-30"', b'"urn:uuid:"', b"1" * 400,
]  # fmt: skip
VALUES = [json.loads(text) for text in ("null", "true", "0", "-1", "1.5", '""', '"x"', '"#a"', "[]", "{}", "[null]", "[[1]]", '{"id":"a"}',
    '{"reference":"#"}', '{"resourceType":"Patient"}', '{"resourceType":7}', '"2024-01-01T00:00:00Z"', "123456789012345678901234567890")]  # fmt: skip


def texts() -> list[bytes]:
    everything = [
        *seeds.sample_seeds(),
        patient(),
        observation(),
        allergy(),
        composition(),
        document(observation(), allergy()),
    ]
    return [json.dumps(each, indent=indent).encode() for each in everything for indent in (None, 1)]


def mutate_bytes(rng: random.Random, data: bytes, other: bytes) -> bytes:
    """A few cuts, copies, swaps and tokens inserted anywhere."""
    for _ in range(rng.randint(1, 4)):
        at, to = sorted(rng.randrange(len(data) + 1) for _ in range(2))
        match rng.randrange(7):
            case 0:
                data = data[:at] + rng.choice(TOKENS) + data[at:]
            case 1:
                data = data[:at] + rng.choice(TOKENS) + data[min(at + rng.randint(1, 20), len(data)) :]
            case 2:
                data = data[:at] + data[min(to, at + 200) :]
            case 3:
                data = data[:to] + data[at:to] * rng.randint(1, 3) + data[to:]
            case 4:
                data = data[:at] + other[rng.randrange(len(other) + 1) :]
            case 5:
                data = data[:at] + bytes([rng.randrange(256)]) + data[at + 1 :]
            case _:
                data = data[:at]
    return data[:200_000]


def mutate_values(rng: random.Random, data: bytes, other: bytes) -> bytes:
    """Values moved, repeated, nested, exchanged; names exchanged."""
    root = json.loads(data)
    for _ in range(rng.randint(1, 6)):
        containers = list(_containers(root))
        container, donor = rng.choice(containers), rng.choice(list(_containers(json.loads(other))))
        value = copy.deepcopy(rng.choice([*VALUES, donor, *(donor.values() if isinstance(donor, dict) else donor)]))
        if isinstance(container, dict) and container:
            name = rng.choice(list(container))
            match rng.randrange(4):
                case 0:
                    container[name] = value
                case 1:
                    container[
                        rng.choice([*(donor if isinstance(donor, dict) else ["x"]), f"_{name}", name.upper()])
                    ] = value
                case 2:
                    container[name] = [container[name]] * rng.randint(1, 30)
                case _:
                    del container[name]
        elif isinstance(container, list):
            container.insert(rng.randint(0, len(container)), value)
    return json.dumps(root).encode()


def _containers(value):
    if isinstance(value, dict | list):
        yield value
        for child in list(value.values()) if isinstance(value, dict) else value:
            yield from _containers(child)


def check_responses(data: bytes) -> float:
    """Check the bytes in each way; every response must be a valid outcome. Return the longest time in seconds."""
    longest = 0.0
    for answer in (
        lambda: check(data).issues,
        lambda: _validate(data, "Patient", [], []),
        lambda: _validate(data, None, [], []),
    ):
        began = thread_time()
        try:
            issues = answer()
        except Problem as problem:
            assert problem.status == 400
            issues = ()
        longest = max(longest, thread_time() - began)
        result = check(encode(operation_outcome(issues)))
        assert result.issues == (), (result.issues, data)
    return longest


def fuzz(number: int) -> float:
    rng = random.Random(number)
    known = texts()
    longest = 0.0
    for _ in range(number):
        data, other = rng.choice(known), rng.choice(known)
        longest = max(
            longest, check_responses((mutate_bytes if rng.random() < 0.5 else mutate_values)(rng, data, other))
        )
    return longest


def test_every_input_gets_a_valid_outcome():
    fuzz(400)


@pytest.mark.long
@pytest.mark.timeout(3600)
def test_every_input_gets_a_valid_outcome_in_the_long_run():
    longest = fuzz(60_000)
    print(f"the longest answer took {longest:.2f} s of processor time")
    assert longest < MAX_SECONDS


@pytest.mark.long
@pytest.mark.parametrize("name", expensive_resources.CASES)
def test_largest_expensive_resource_is_checked_in_time(name):
    longest = check_responses(expensive_resources.build_case(name, MAX_BODY))
    print(f"{longest:.2f} s of processor time")
    assert longest < MAX_SECONDS
