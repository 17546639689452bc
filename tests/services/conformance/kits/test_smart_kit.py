"""The kit of SMART App Launch: the platform meets all of it, and each broken twin is told what is broken."""

from collections.abc import Callable
from itertools import count
from typing import Any
from urllib.parse import parse_qs

import httpx
import pytest

from esante.services.conformance.kits.catalogue import kits
from esante.services.conformance.kits.model import Run, Verdict
from tests.support.broken_twins import Answer, Change, Twin, at, drop_header, edit, replace_status, set_field
from tests.support.kit_world import CALLBACK, KitWorld, assert_only_fault, failed, not_passed, twin_cases

KIT = kits()["smart"]
_HOSTS = count(2)


def options(world: KitWorld) -> dict[str, str]:
    """Return the options of a run."""
    return {name: world.options[name] for name in ("client", "key")} | world.app_options


def from_own_address(change: Change) -> Twin:
    """Return a twin that calls from an address of its own: the platform counts refused sign-ins by address."""
    return Twin(change, httpx.AsyncHTTPTransport(local_address=f"127.0.7.{next(_HOSTS)}"))


async def run(world: KitWorld, change: Change = lambda *_: None) -> Run:
    """Run the kit against a twin of the world."""
    return await world.run("smart", options(world), from_own_address(change))


async def test_platform_meets_every_requirement(kit_world: KitWorld) -> None:
    found = await run(kit_world)
    assert not_passed(found) == []
    assert found.passed and len(found.outcomes) == len(KIT.requirements) == 29


async def test_transcript_has_no_secret(kit_world: KitWorld) -> None:
    text = str((await run(kit_world)).outcomes)
    assert "client_assertion=" in text and "code_challenge=" in text
    assert kit_world.world.cookies["patient"] not in text and "eyJ" not in text


async def test_apps_are_not_tested_without_a_session(kit_world: KitWorld) -> None:
    given = {name: one for name, one in options(kit_world).items() if name in ("client", "key")}
    found = await kit_world.run("smart", given, from_own_address(lambda *_: None))
    skipped = {name for name, verdict, _ in not_passed(found) if verdict == Verdict.NOT_APPLICABLE}
    assert (skipped, failed(found)) == ({f"SMART-{number:02}" for number in range(5, 21)}, [])


def _no_service(statement: Any) -> None:
    statement["rest"][0]["security"].pop("service")


def _forward(part: str, to: str, *, when: str = "") -> Change:
    """Return a change of authorization requests that hold a text: the browser is sent on, with a code."""

    def apply(request: httpx.Request, answer: Answer) -> Answer | None:
        address = str(request.url)
        if "/oauth/authorize?" not in address or part not in address or (when and when in address):
            return None
        return Answer(303, {"location": f"{to}?code=x&state=x"}, b"")

    return apply


def _decision(value: bytes, change: Callable[[httpx.Request, Answer], Answer | None]) -> Change:
    """Return a change of answers to the consent form that was sent with a button."""
    part = b"decision=" + value
    return lambda request, answer: change(request, answer) if part in request.content else None


def _other_state(_: httpx.Request, answer: Answer) -> Answer:
    return Answer(answer.status, answer.headers, answer.body.replace(b"state=", b"state=x"))


def _code_for_refusal(_: httpx.Request, answer: Answer) -> Answer:
    return Answer(answer.status, answer.headers, answer.body.replace(b"error=access_denied", b"code=x"))


def _form(request: httpx.Request) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(request.content.decode()).items()}


def _granting(answer: Answer) -> Answer:
    given = {"access_token": "x", "token_type": "Bearer", "expires_in": 300, "scope": "openid", "patient": "1"}
    return Answer(200, answer.headers, b"").with_json(given)


def _of_grant(grant: str, change: Callable[[httpx.Request, Answer], Answer | None]) -> Change:
    """Return a change of answers of the token endpoint to requests of a grant type that succeed."""

    def apply(request: httpx.Request, answer: Answer) -> Answer | None:
        if not str(request.url).endswith("/oauth/token") or _form(request).get("grant_type") != grant:
            return None
        return change(request, answer) if answer.status == 200 else None

    return apply


def _code_is_taken(again: bool) -> Change:
    """Return a change in which a code is taken that was refused: the first time that it is sent, or again."""
    sent: list[str] = []

    def apply(request: httpx.Request, answer: Answer) -> Answer | None:
        if not str(request.url).endswith("/oauth/token") or "code" not in _form(request):
            return None
        known = _form(request)["code"] in sent
        sent.append(_form(request)["code"])
        return _granting(answer) if answer.status != 200 and known == again else None

    return apply


def _refused_software_is_let_in(place: int) -> Change:
    """Return a change in which software is let in that was refused for the n-th time in the run."""
    refused = count()

    def apply(request: httpx.Request, answer: Answer) -> Answer | None:
        if not str(request.url).endswith("/oauth/token") or "client_assertion" not in _form(request):
            return None
        return _granting(answer) if answer.status != 200 and next(refused) == place else None

    return apply


def _more_scope(tokens: Any) -> None:
    tokens["scope"] += " patient/Claim.rs"


def _other_signature(tokens: Any) -> None:
    tokens["id_token"] = tokens["id_token"][:-4] + "AAAA"


TWINS: dict[str, Change] = {
    "SMART-01": at("GET", "smart-configuration", set_field("authorization_endpoint", None)),
    "SMART-02": at("GET", "smart-configuration", set_field("code_challenge_methods_supported", ["S256", "plain"])),
    "SMART-03": at("GET", "/metadata", edit(_no_service)),
    "SMART-04": at("GET", "smart-configuration", set_field("jwks_uri", None)),
    "SMART-05": _forward("kit-unknown-client", CALLBACK),
    "SMART-06": _forward("attacker.example", "https://attacker.example/callback"),
    "SMART-07": _forward("client_id=kit-app&", CALLBACK, when="code_challenge"),
    "SMART-08": _forward("other.example", CALLBACK),
    "SMART-09": _decision(b"refuse", _code_for_refusal),
    "SMART-10": _decision(b"allow", _other_state),
    "SMART-11": _code_is_taken(again=False),
    "SMART-12": _of_grant("authorization_code", set_field("patient", None)),
    "SMART-13": _of_grant("authorization_code", drop_header("cache-control")),
    "SMART-14": _of_grant("authorization_code", edit(_more_scope)),
    "SMART-15": at("GET", "/Patient/", replace_status(200, 403)),
    "SMART-16": at("GET", "/Patient/", replace_status(404, 200)),
    "SMART-17": at("GET", "/Condition?", replace_status(403, 200)),
    "SMART-18": _of_grant("authorization_code", edit(_other_signature)),
    "SMART-19": _of_grant("refresh_token", set_field("access_token", "x")),
    "SMART-20": _code_is_taken(again=True),
    "SMART-21": _of_grant("client_credentials", set_field("expires_in", None)),
} | {f"SMART-{22 + place}": _refused_software_is_let_in(place) for place in range(8)}  # fmt: skip


@pytest.mark.parametrize("broken", twin_cases("smart"))
async def test_broken_twin_is_told_its_fault_and_no_other(kit_world: KitWorld, broken: str) -> None:
    assert_only_fault(await run(kit_world, TWINS[broken]), broken)
