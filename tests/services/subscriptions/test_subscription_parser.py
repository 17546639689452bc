"""Endpoint URLs of Subscription resources; other elements are tested over the API."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from esante.core.web import Problem
from esante.services.subscriptions import subscription_policy
from esante.services.subscriptions.subscription_parser import parse_endpoint


@pytest.mark.parametrize(
    "url",
    [
        "", "https://", "https:///path", "ftp://example.org/", "file:///etc/passwd", "gopher://example.org:70/_x",
        "javascript:alert(1)", "//example.org/", "example.org", "https://user:pw@example.org/", "https://@example.org/",
        "https://example.org/#part", "https://example.org:0/", "https://example.org:25/", "https://example.org:99999/",
        "https://example.org:x/", "https://exa mple.org/", "https://example.org/a b", "https://exämple.org/",
        "https://example.org\\@internal/", "https://example.org/\r\nX-Evil: 1", "https://[::1", "https://[fe80::1%eth0]/",
        "https://-example.org/", "http://example.org:80/", "https://" + "a" * 1_100 + ".org/", "https://example.org/\x00",
    ],
)  # fmt: skip
def test_invalid_endpoint_url_is_refused(url):
    with pytest.raises(Problem) as refused:
        parse_endpoint(url, subscription_policy())
    assert (refused.value.status, refused.value.place) == (422, "Subscription.channel.endpoint")


@given(st.text(max_size=60) | st.builds("https://{}".format, st.text(max_size=40)))
def test_any_text_is_parsed_or_refused(url):
    try:
        found = parse_endpoint(url, subscription_policy())
    except Problem:
        return
    assert found.target.startswith("/")
    assert all("!" <= sign <= "~" for sign in found.target + found.host)
    assert found.port == 443 or found.port >= 1024


def test_endpoint_url_is_split_into_parts():
    found = parse_endpoint("https://EHR.Example.org.:8443/a/b?c=d", subscription_policy())
    assert (found.scheme, found.host, found.port, found.target) == ("https", "ehr.example.org", 8443, "/a/b?c=d")
    assert found.origin == "https://ehr.example.org:8443"
    assert parse_endpoint("https://[2620:fe::fe]/", subscription_policy()).origin == "https://[2620:fe::fe]"
    assert parse_endpoint("https://example.org?x=1", subscription_policy()).target == "/?x=1"
