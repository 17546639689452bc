"""The language of a request."""

import pytest
from starlette.requests import Request

from esante.core.web import LANGUAGE_COOKIE, gettext_of, language_of, template_environment


def request_with(**headers):
    names = {name.replace("_", "-").encode(): value.encode() for name, value in headers.items()}
    return Request({"type": "http", "headers": list(names.items())})


@pytest.mark.parametrize(
    ("headers", "language"),
    [
        ({}, "fr"),
        ({"accept_language": "de-LU,fr;q=0.5"}, "de"),
        ({"accept_language": "pt,es"}, "fr"),
        ({"accept_language": "de", "cookie": f"{LANGUAGE_COOKIE}=lb"}, "lb"),
        ({"accept_language": "de", "cookie": f"{LANGUAGE_COOKIE}=xx"}, "de"),
    ],
)
def test_language_by_cookie_then_browser_then_default(headers, language):
    assert language_of(request_with(**headers)) == language


def test_gettext_is_of_the_language_of_the_request():
    assert (
        gettext_of(request_with(accept_language="en"))("We could not find what you are looking for.")
        == "We could not find what you are looking for."
    )


def test_templates_escape_and_refuse_undefined_names():
    template = template_environment("en").from_string("{{ text }}")
    assert template.render(text="<b>") == "&lt;b&gt;"
    with pytest.raises(Exception, match="'text' is undefined"):
        template.render()
