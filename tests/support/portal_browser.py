"""A signed-in browser without JavaScript, for tests of HTML pages."""

from lxml import html


class PortalBrowser:
    """Opens pages and submits their forms, each with its CSRF token."""

    def __init__(self, http):
        self.http = http

    async def get(self, url, status=200):
        """Open a page; return its parsed HTML (None for an empty body)."""
        response = await self.http.get(url)
        assert response.status_code == status, response.text
        return html.fromstring(response.text) if response.text else None

    async def submit(self, page, action, status=303, **fields):
        """Submit the form of `page` that goes to `action`, with `fields` changed."""
        response = await self.http.post(action, data=form_values(page, action) | fields)
        assert response.status_code == status, response.text
        return response


def form_values(page, action):
    """The fields of the first form of a page that goes to `action`, of one that sends before one that searches."""
    forms = [
        form for form in page.forms if form.get("action") == action or (form.get("action") is None and not action)
    ]
    assert forms, f"no form goes to {action}"
    return dict(min(forms, key=lambda form: form.method != "POST").form_values())


def page_text(page):
    """The text of the main element of a page, with single spaces."""
    return " ".join(page.xpath("//main")[0].text_content().split())
