from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from esante.core.web import Meter, Metering


@given(st.lists(st.tuples(st.floats(0.2, 20_000), st.sampled_from([200, 404, 500, 503])), min_size=1, max_size=60))
def test_read_returns_counts_and_starts_anew(answers):
    meter = Meter()
    for milliseconds, status in answers:
        meter.add(milliseconds, status)
    measured = meter.read()
    times = sorted(milliseconds for milliseconds, _ in answers)
    p95 = times[-(-95 * len(times) // 100) - 1]
    assert (measured.requests, measured.errors) == (len(answers), sum(status >= 500 for _, status in answers))
    assert p95 - 0.5 <= measured.p95_ms <= p95 * 1.05 + 0.5
    assert meter.read().requests == 0


async def test_responses_and_failures_are_counted():
    async def app(scope, receive, send):
        if scope["path"] == "/broken":
            raise RuntimeError
        await send({"type": "http.response.start", "status": 404})

    async def send(message):
        assert message["status"] == 404

    meter = Meter()
    metered = Metering(app)
    state = SimpleNamespace(state=SimpleNamespace(meter=meter))
    await metered({"type": "http", "path": "/", "app": state}, None, send)
    with pytest.raises(RuntimeError):
        await metered({"type": "http", "path": "/broken", "app": state}, None, send)
    measured = meter.read()
    assert (measured.requests, measured.errors) == (2, 1)
