"""What the platform sees of itself, as the journal tells it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from esante.services.bulletin import Meter, Metered


@given(st.lists(st.tuples(st.floats(0.2, 20_000), st.sampled_from([200, 404, 500, 503])), min_size=1, max_size=60))
def test_a_meter_tells_what_was_added_and_begins_anew(answers):
    meter = Meter()
    for milliseconds, status in answers:
        meter.add(milliseconds, status)
    seen = meter.taken()
    times = sorted(milliseconds for milliseconds, _ in answers)
    p95 = times[-(-95 * len(times) // 100) - 1]
    assert (seen.requests, seen.errors) == (len(answers), sum(status >= 500 for _, status in answers))
    assert p95 - 0.5 <= seen.p95_ms <= p95 * 1.05 + 0.5
    assert meter.taken().requests == 0


async def test_answers_and_failures_of_an_application_are_counted():
    async def app(scope, receive, send):
        if scope["path"] == "/broken":
            raise RuntimeError
        await send({"type": "http.response.start", "status": 404})

    async def send(message):
        assert message["status"] == 404

    meter = Meter()
    metered = Metered(app, meter)
    await metered({"type": "http", "path": "/"}, None, send)
    with pytest.raises(RuntimeError):
        await metered({"type": "http", "path": "/broken"}, None, send)
    seen = meter.taken()
    assert (seen.requests, seen.errors) == (2, 1)
