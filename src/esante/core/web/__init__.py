"""The parts that all HTTP endpoints share: problems, forms, pages, paging, sessions, languages."""

from esante.core.web.agency import Agency, current_agency, use_agency
from esante.core.web.cors import Cors
from esante.core.web.i18n import (
    DEFAULT_LANGUAGE,
    LANGUAGES,
    N_,
    P_,
    show_clock,
    show_date,
    show_datetime,
    show_money,
    show_span,
    translator,
)
from esante.core.web.limits.body_queue import LargeBodyQueue, outside_turn, trim_memory
from esante.core.web.limits.connection_limits import BoundedConnection
from esante.core.web.limits.fair_slots import FairSlots, QueueFull
from esante.core.web.metering import Meter, Metering
from esante.core.web.pagination import (
    Page,
    decode_cursor,
    decode_offset_cursor,
    decode_uuid_cursor,
    encode_cursor,
    no_such_page,
)
from esante.core.web.pdf import FontsMissing, typeset_pdf
from esante.core.web.problems import (
    FHIR_JSON,
    HANDLERS,
    NOT_FOUND,
    Problem,
    bad_request,
    on_problem,
    problem_outcome,
    readable,
)
from esante.core.web.rendering import (
    LANGUAGE_COOKIE,
    gettext_of,
    language_of,
    redirect,
    register_package,
    render,
    render_part,
    template_environment,
)
from esante.core.web.requests import clean_text, network_of, origin_of, read_body, read_form, too_large
from esante.core.web.routing import group_routes
from esante.core.web.security_headers import SecurityHeaders, content_policy
from esante.core.web.sessions import COOKIE, LIFETIME, Session, Sessions, clear_cookie, is_https, set_cookie

__all__ = [
    "COOKIE",
    "DEFAULT_LANGUAGE",
    "FHIR_JSON",
    "HANDLERS",
    "LANGUAGES",
    "LANGUAGE_COOKIE",
    "LIFETIME",
    "NOT_FOUND",
    "N_",
    "P_",
    "Agency",
    "BoundedConnection",
    "Cors",
    "FairSlots",
    "FontsMissing",
    "LargeBodyQueue",
    "Meter",
    "Metering",
    "Page",
    "Problem",
    "QueueFull",
    "SecurityHeaders",
    "Session",
    "Sessions",
    "bad_request",
    "clean_text",
    "clear_cookie",
    "content_policy",
    "current_agency",
    "decode_cursor",
    "decode_offset_cursor",
    "decode_uuid_cursor",
    "encode_cursor",
    "gettext_of",
    "group_routes",
    "is_https",
    "language_of",
    "network_of",
    "no_such_page",
    "on_problem",
    "origin_of",
    "outside_turn",
    "problem_outcome",
    "read_body",
    "read_form",
    "readable",
    "redirect",
    "register_package",
    "render",
    "render_part",
    "set_cookie",
    "show_clock",
    "show_date",
    "show_datetime",
    "show_money",
    "show_span",
    "template_environment",
    "too_large",
    "translator",
    "trim_memory",
    "typeset_pdf",
    "use_agency",
]
