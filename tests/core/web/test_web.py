"""The shared faces: cursors, dates of searches, bodies within limits, texts."""

from datetime import UTC, datetime

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from esante.core.fhir.rest import parse_date_range, parse_token
from esante.core.web import HANDLERS, Problem, Sessions, decode_cursor, encode_cursor, read_form


@given(st.text(), st.integers(-(2**53), 2**53))
def test_a_cursor_comes_back(text, number):
    try:
        text.encode()
    except UnicodeEncodeError:
        return
    assert decode_cursor(encode_cursor(text, number), str, int) == [text, number]


@given(st.text(max_size=200))
def test_any_other_cursor_is_a_problem_and_nothing_else(text):
    try:
        key = decode_cursor(text, str, int)
    except Problem as problem:
        assert problem.status == 400
    else:
        assert encode_cursor(*key)


@pytest.mark.parametrize(
    ("text", "low", "high"),
    [
        ("2026", datetime(2026, 1, 1, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC)),
        ("2026-12", datetime(2026, 12, 1, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC)),
        ("2024-02-29", datetime(2024, 2, 29, tzinfo=UTC), datetime(2024, 3, 1, tzinfo=UTC)),
        (
            "2026-05-01T10:30:00+02:00",
            datetime(2026, 5, 1, 8, 30, tzinfo=UTC),
            datetime(2026, 5, 1, 8, 30, 1, tzinfo=UTC),
        ),
    ],
)
def test_a_date_covers_what_it_says(text, low, high):
    found = parse_date_range(f"ge{text}")
    assert (found.prefix, found.low, found.high) == ("ge", low, high)


@given(st.text(max_size=40))
def test_any_other_date_is_a_problem_with_its_place(text):
    try:
        found = parse_date_range(text, "date")
    except Problem as problem:
        assert (problem.status, problem.place) == (400, "date")
    else:
        assert found.low < found.high


@pytest.mark.parametrize(
    ("prefix", "day", "expected"),
    [
        ("eq", 5, True),
        ("ne", 5, False),
        ("gt", 6, True),
        ("gt", 5, False),
        ("le", 5, True),
        ("sa", 5, False),
        ("eb", 4, True),
    ],
)
def test_prefixes(prefix, day, expected):
    value = (datetime(2026, 5, day, tzinfo=UTC), datetime(2026, 5, day + 1, tzinfo=UTC))
    assert parse_date_range(f"{prefix}2026-05-05").matches(*value) is expected


def test_token_parts():
    assert parse_token("a|b") == ("a", "b")
    assert parse_token("|b") == ("", "b")
    assert parse_token("b") == (None, "b")


async def _send_form(headers):
    """The status of a form that is sent without a session."""

    async def take(request):
        return PlainTextResponse(str((await read_form(request))["persona"]))

    app = Starlette(routes=[Route("/signin", take, methods=["POST"])], exception_handlers=HANDLERS)
    app.state.sessions = Sessions(None)  # without a cookie nothing is looked up
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="https://esante.example:8443") as client:
        return (await client.post("/signin", data={"persona": "anna"}, headers=headers)).status_code


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Sec-Fetch-Site": "same-origin"},
        {"Sec-Fetch-Site": "none"},
        {"Sec-Fetch-Site": "same-origin", "Origin": "null"},
        {"Origin": "https://esante.example:8443"},
        {"Origin": "http://esante.example:8443"},
    ],
)
async def test_a_form_without_session_is_taken_from_our_own_pages(headers):
    assert await _send_form(headers) == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Sec-Fetch-Site": ""},
        {"Sec-Fetch-Site": "cross-site", "Origin": "https://esante.example:8443"},
        {"Origin": "https://evil.example"},
        {"Origin": "https://esante.example"},
        {"Origin": "https://esante.example:8443.evil.example"},
        {"Origin": "null"},
        {"Origin": ""},
        {"Origin": "https://["},
    ],
)
async def test_a_form_without_session_is_refused_from_elsewhere(headers):
    assert await _send_form(headers) == 403
