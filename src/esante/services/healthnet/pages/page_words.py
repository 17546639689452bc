"""What the pages of the network share: the words for what is shown, marks of plots, problems of forms."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from starlette.datastructures import FormData
from starlette.requests import Request

from esante.core import clock
from esante.core.time_zone import time_zone
from esante.core.web import N_, P_, Problem, gettext_of, language_of, show_date
from esante.identity.access import Requester
from esante.identity.directory import catalogue
from esante.services.healthnet.contracts.report import percent, span_words
from esante.services.healthnet.policy.model import Cause
from esante.services.healthnet.sites.model import SiteState
from esante.services.healthnet.supervision.history import SPANS
from esante.services.healthnet.supervision.measures import HOUR, day_start, hour_of
from esante.services.healthnet.supervision.model import Anomaly, Measure

OPERATOR, OWN = "/operator/network", "/network"
"""Where the pages of operators and of owners of sites are."""
MAX_WORDS = 60
_SHOWN_IN_FORM = (400, 403, 409)
"""Status codes of problems that a page shows beside its forms; others have a page of their own."""
STATE_NAMES = {
    SiteState.REQUESTED: P_("site", "Requested"),
    SiteState.APPROVED: P_("site", "Approved"),
    SiteState.ACTIVE: P_("site", "Connected"),
    SiteState.SUSPENDED: P_("site", "Suspended"),
    SiteState.REFUSED: P_("site", "Refused"),
    SiteState.ENDED: P_("site", "Ended"),
}
RULE_NAMES = {
    "silent": P_("site", "Silent"),
    "slow": N_("Slow path"),
    "lossy": N_("Packets are lost"),
    "certificate_ends": N_("Certificate is about to end"),
    "old_agent": N_("Agent is out of date"),
    "much_traffic": N_("Much more traffic than usual"),
    "little_traffic": N_("Much less traffic than usual"),
}
MEASURE_NAMES = {
    "silence": N_("Seconds without a sign"),
    "latency": N_("Milliseconds there and back"),
    "loss": N_("Share of lost packets"),
    "certificate_left": N_("Hours until the certificate ends"),
    "release_overdue": N_("Hours without a newer agent"),
    "traffic_ratio": N_("Traffic beside the usual (1: as usual)"),
}
LEVEL_TONES = {1: "", 2: "warn", 3: "danger", 4: "danger"}
ROLLOUT_NAMES = {"running": N_("In progress"), "done": N_("In force everywhere"), "undone": N_("Rolled back")}
CAUSE_NAMES = {
    Cause.RULE: N_("A rule allows it."),
    Cause.FORBIDDEN: N_("A rule forbids it."),
    Cause.NO_RULE: N_("No rule allows it."),
    Cause.NOT_OFFERED: N_("The other site does not offer this service."),
    Cause.SAME_SITE: N_("These are the same site."),
    Cause.SOURCE_QUARANTINED: N_("The first site is in quarantine, which keeps other services only."),
    Cause.TARGET_QUARANTINED: N_("The other site is in quarantine, which offers other services only."),
}
SAMPLE_POLICY = (
    N_("Laboratory results"),
    N_("Shared care record"),
    N_("Secure messaging"),
    N_("Names and time of the network"),
    N_("Image exchange"),
    N_("Fee notes and reimbursement"),
    N_("who orders analyses fetches their results"),
    N_("these professions order no analyses"),
    N_("every provider uses the national services"),
    N_("the insurance writes to providers"),
    N_("providers send fee notes"),
    N_("who treats a patient sees the images"),
    N_("National health network"),
)
"""Texts of the packaged policy, which is a file of its own; texts of other policies are shown as they stand."""


def words(request: Request, requester: Requester) -> dict[str, Any]:
    """Return what every template of the network gets."""
    gettext, language = gettext_of(request), language_of(request)
    kinds = catalogue().organization_kinds

    def kind_name(kind: str, profession: str = "") -> str:
        if profession and (known := catalogue().professions.get(profession)):
            return str(gettext(known.label))
        return str(gettext(kinds[kind].label)) if kind in kinds else str(gettext(N_("Site of the agency")))

    return {
        "place": OPERATOR if requester.kind == "operator" else OWN,
        "is_operator": requester.kind == "operator",
        "requester_id": requester.id,
        "say": lambda text: gettext(text) if text else "",
        "kind_name": kind_name,
        "about": lambda anomaly: explain(anomaly, gettext, language),
        "percent": lambda value: percent(value, language),
        "share": lambda value: _percent_of(value, language),
        "lasting": lambda span: span_words(span, language),
        "bytes": show_bytes,
        "state_names": STATE_NAMES,
        "rule_names": RULE_NAMES,
        "measure_names": MEASURE_NAMES,
        "level_tones": LEVEL_TONES,
        "rollout_names": ROLLOUT_NAMES,
        "cause_names": CAUSE_NAMES,
        "saved": request.query_params.get("saved", ""),
        "at": clock.now(),
    }


def explain(anomaly: Anomaly, gettext: Callable[[str], str], language: str) -> str:
    """Return in a sentence what was measured."""
    value = anomaly.value
    texts = {
        "silent": (N_("Nothing was heard of the site for %(span)s."), {"span": _spoken(value, language)}),
        "slow": (N_("A packet takes %(number)s ms there and back."), {"number": f"{value:.0f}"}),
        "lossy": (N_("%(number)s of 100 packets are lost."), {"number": f"{100 * value:.0f}"}),
        "certificate_ends": (
            N_("The certificate ends in %(span)s and was not renewed."),
            {"span": _spoken(value * 3600, language)},
        ),
        "old_agent": (
            N_("A newer agent has been available for %(span)s and was not installed."),
            {"span": _spoken(value * 3600, language)},
        ),
        "much_traffic": (N_("%(number)s times as much traffic as usual at this hour."), {"number": f"{value:.0f}"}),
        "little_traffic": (
            N_("%(number)s per cent of the traffic that is usual at this hour."),
            {"number": f"{100 * value:.0f}"},
        ),
    }
    text, values = texts.get(anomaly.rule, ("", {}))
    return gettext(text) % values if text else f"{value:.3g}"


def _spoken(seconds: float, language: str) -> str:
    return span_words(timedelta(seconds=max(60.0, seconds)), language)


def show_bytes(count: float) -> str:
    """Return a number of bytes in the unit that leaves at most three digits before the point."""
    for unit in ("B", "kB", "MB", "GB"):
        if count < 1000:
            return f"{count:.0f}\u202f{unit}" if unit == "B" or count >= 100 else f"{count:.1f}\u202f{unit}"
        count /= 1000
    return f"{count:.1f}\u202fTB"


Mark = tuple[str, float, str]


def marks_of(measures: Sequence[Measure], span: str, language: str) -> dict[str, list[Mark]]:
    """Return what plots show of measures over a stretch of time: each step of it, also those without a measure."""
    step, length = SPANS[span]
    by_start = {one.starts: one for one in measures}
    found: dict[str, list[Mark]] = {"latency": [], "loss": [], "traffic": []}
    for starts in _steps(step, length):
        one = by_start.get(starts)
        local = starts.astimezone(time_zone())
        tick = show_date(local.date(), language) + (f" {local:%H:%M}" if step == HOUR else "")
        latency, loss = (one.latency, one.loss) if one else (None, None)
        traffic = one.received + one.sent if one else 0
        found["latency"].append((tick, latency or 0.0, "–" if latency is None else f"{latency:.0f}\u202fms"))
        found["loss"].append((tick, 100 * (loss or 0.0), "–" if loss is None else _percent_of(loss, language)))
        found["traffic"].append((tick, traffic, show_bytes(traffic) if one else "–"))
    return found


def _steps(step: str, length: timedelta) -> list[datetime]:
    now = clock.now()
    if step == HOUR:
        return [hour_of(now) - timedelta(hours=hours) for hours in range(int(length / timedelta(hours=1)) - 1, -1, -1)]
    days = [day_start(now - timedelta(days=days)) for days in range(length.days - 1, -1, -1)]
    return [day.astimezone(UTC) for day in days]


def _percent_of(share: float, language: str) -> str:
    text = f"{100 * share:.1f}"
    return f"{text if language == 'en' else text.replace('.', ',')}\u202f%"


def shown(problem: Problem) -> Problem:
    """Return a problem that a page shows. Raises: the problem, where it has a page of its own."""
    if problem.status not in _SHOWN_IN_FORM:
        raise problem
    return problem


def text_of(form: FormData, name: str) -> str:
    """Return a field of a form as text, "" where it is missing or a file."""
    value = form.get(name, "")
    return value if isinstance(value, str) else ""


def values_of(form: FormData | None) -> dict[str, str]:
    """Return what was written in a form."""
    return {name: text_of(form, name)[:20_000] for name in form} if form else {}
