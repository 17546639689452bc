import pytest
from hypothesis import given
from hypothesis import strategies as st

from esante.portal.pages import local


@pytest.mark.parametrize("url", ["/", "/record", "/record?q=a%20b", "/patients/1#top"])
def test_an_address_of_ours_is_kept(url):
    assert local(url) == url


@pytest.mark.parametrize(
    "url", ["//evil.example", "https://evil.example", "/\\evil.example", "evil", "", "/a\r\nb", "/\t/evil"]
)
def test_any_other_leads_home(url):
    assert local(url) == "/"


@given(st.text())
def test_nothing_leads_out(url):
    inside = local(url)
    assert inside.startswith("/")
    assert not inside.startswith("//")
