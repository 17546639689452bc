"""What every HTTP face shares: problems, forms, pages, paging, sessions, languages."""

from esante.core.web.body_queue import LargeBodies, give_back
from esante.core.web.cors import Cors
from esante.core.web.i18n import DEFAULT, LANGUAGES, N_, TIME_ZONE, show_date, show_datetime, show_span, translator
from esante.core.web.metering import Meter, Metering
from esante.core.web.pagination import (
    Page,
    decode_cursor,
    decode_offset_cursor,
    decode_uuid_cursor,
    encode_cursor,
    no_such_page,
)
from esante.core.web.problems import (
    FHIR_JSON,
    HANDLERS,
    NOT_FOUND,
    Problem,
    bad_request,
    on_problem,
    outcome,
    readable,
)
from esante.core.web.rendering import (
    LANGUAGE_COOKIE,
    environment,
    gettext_of,
    language_of,
    redirect,
    register_package,
    render,
    render_part,
)
from esante.core.web.requests import origin_of, read_body, read_form, too_large
from esante.core.web.routing import grouped
from esante.core.web.security_headers import SecurityHeaders
from esante.core.web.sessions import COOKIE, Session, Sessions, by_https, clear_cookie, set_cookie

__all__ = [
    "COOKIE",
    "DEFAULT",
    "FHIR_JSON",
    "HANDLERS",
    "LANGUAGES",
    "LANGUAGE_COOKIE",
    "NOT_FOUND",
    "N_",
    "TIME_ZONE",
    "Cors",
    "LargeBodies",
    "Meter",
    "Metering",
    "Page",
    "Problem",
    "SecurityHeaders",
    "Session",
    "Sessions",
    "bad_request",
    "by_https",
    "clear_cookie",
    "decode_cursor",
    "decode_offset_cursor",
    "decode_uuid_cursor",
    "encode_cursor",
    "environment",
    "gettext_of",
    "give_back",
    "grouped",
    "language_of",
    "no_such_page",
    "on_problem",
    "origin_of",
    "outcome",
    "read_body",
    "read_form",
    "readable",
    "redirect",
    "register_package",
    "render",
    "render_part",
    "set_cookie",
    "show_date",
    "show_datetime",
    "show_span",
    "too_large",
    "translator",
]
