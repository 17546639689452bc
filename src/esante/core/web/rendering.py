"""HTML pages: Jinja templates of all packages, in the language of the request, with the session's CSRF token."""

from collections.abc import Mapping
from datetime import datetime
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from babel.core import negotiate_locale
from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape
from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from esante.core import clock
from esante.core.storage import Unavailable
from esante.core.web.agency import current_agency
from esante.core.web.i18n import (
    DEFAULT_LANGUAGE,
    LANGUAGES,
    register_locale,
    show_clock,
    show_date,
    show_datetime,
    show_limit,
    show_money,
    show_month,
    show_span,
    show_weekday,
    translator,
)

LANGUAGE_COOKIE = "esante_lang"


_PROGRAM = Path(__file__).parents[2]
_template_folders = sorted(_PROGRAM.rglob("templates"))


def register_package(package: str) -> None:
    """Use the folders `templates` and `locale` of a package that lies outside the program."""
    folder = Path(str(files(package)))
    if not folder.is_relative_to(_PROGRAM) and folder / "templates" not in _template_folders:
        _template_folders.append(folder / "templates")
        template_environment.cache_clear()
        register_locale(folder / "locale")


@cache
def template_environment(language: str) -> Environment:
    """Return the template environment of a language: every package's `templates` folder, autoescaping, strict."""
    env = Environment(
        loader=FileSystemLoader(_template_folders),
        autoescape=select_autoescape(default=True, default_for_string=True),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        extensions=["jinja2.ext.i18n"],
    )
    texts = translator(language).for_html()
    env.install_gettext_callables(  # type: ignore[attr-defined]
        texts.gettext, texts.ngettext, newstyle=True, pgettext=texts.pgettext
    )
    env.filters["date"] = lambda value: show_date(value, language)
    env.filters["datetime"] = lambda value: show_datetime(value, language)
    env.filters["month"] = lambda value: show_month(value, language)
    env.filters["weekday"] = lambda value: show_weekday(value, language)
    env.filters["clock"] = show_clock
    env.filters["money"] = lambda value: show_money(value, language)
    env.filters["ago"] = lambda value: _ago(value, language)
    env.filters["limit"] = lambda value: show_limit(value, language)
    env.filters["span"] = lambda value: show_span(value, language)
    env.filters["dt_iso"] = lambda value: value.isoformat()
    env.globals |= {"lang": language, "languages": LANGUAGES}
    return env


def language_of(request: Request) -> str:
    """Return the language for a request: by the cookie, else by Accept-Language, else French."""
    chosen = request.cookies.get(LANGUAGE_COOKIE, "")
    if chosen in LANGUAGES:
        return chosen
    accepted = [part.split(";")[0].strip() for part in request.headers.get("accept-language", "").split(",")]
    return negotiate_locale(accepted, list(LANGUAGES), sep="-") or DEFAULT_LANGUAGE


def gettext_of(request: Request) -> Any:
    """Return the `gettext` function of the language of a request."""
    return translator(language_of(request)).gettext


async def render(
    request: Request,
    template: str,
    status: int = 200,
    *,
    headers: Mapping[str, str] | None = None,
    **context: Any,
) -> HTMLResponse:
    """Return a page. Templates also get `request`, `path`, `session` (or None), `csrf_token`, `navigation`, `waiting`
    (how much waits at places of the navigation, by their addresses) and `agency`."""
    text = await render_part(request, template, waiting=await _waiting(request), **context)
    return HTMLResponse(text, status, headers={"Cache-Control": "no-store", **(headers or {})})


async def render_part(request: Request, template: str, **context: Any) -> Markup:
    """Return a part of a page as HTML; its template gets what that of a page gets."""
    session = await _session_of(request)
    token = session.csrf if session else ""
    state = request.app.state
    return Markup(  # noqa: S704 - the templates escape
        template_environment(language_of(request))
        .get_template(template)
        .render(
            request=request,
            path=request.url.path,
            session=session,
            csrf_token=token,
            csrf_field=Markup('<input type="hidden" name="_csrf" value="{}">').format(token),
            now=clock.now(),
            demo=getattr(state, "demo", False),
            navigation=getattr(state, "navigation", {}),
            agency=current_agency(),
            **context,
        )
    )


async def _waiting(request: Request) -> Mapping[str, int]:
    """Return how much waits at places of the navigation; nothing also when the database is unavailable.

    Places that only some people see are there for those who do.
    """
    count = getattr(request.app.state, "count_waiting", None)
    session = await _session_of(request)
    try:
        found: Mapping[str, int] = await count(session.principal) if count and session else {}
    except Unavailable:
        return {}
    return found


async def _session_of(request: Request) -> Any:
    """Return the session of a request; None also when the database is unavailable: error pages must still work."""
    sessions = getattr(request.app.state, "sessions", None)
    try:
        return await sessions.of(request) if sessions else None
    except Unavailable:
        return None


def redirect(url: str) -> Response:
    """Return a redirect (303) to another page, after a form was processed."""
    return RedirectResponse(url, 303)


def _ago(value: datetime, language: str) -> str:
    from babel.dates import format_timedelta

    return format_timedelta(value - clock.now(), add_direction=True, locale=language)
