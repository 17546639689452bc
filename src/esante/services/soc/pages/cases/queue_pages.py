"""The pages of the queue: alerts that wait, one alert, suppressions, playbooks."""

from uuid import UUID

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from esante.core import clock
from esante.core.storage import parse_uuid
from esante.core.time_zone import today
from esante.core.web import NOT_FOUND, Problem, gettext_of, read_form, redirect, render
from esante.identity.access import Access, require_operator
from esante.services.soc.alerts.model import Level, Origin
from esante.services.soc.alerts.service import Alerts
from esante.services.soc.cases.groups import case_rules_on
from esante.services.soc.cases.model import QueueFilter
from esante.services.soc.cases.triage import PAGE_SIZES, Triage
from esante.services.soc.pages.page_words import (
    CONTACT,
    MAX_WORDS,
    OPERATOR,
    filled,
    keys_of,
    number_of,
    page_requester,
    shown,
    text_of,
    words,
)

_SHOWN = ("waiting", "suppressed")


class QueuePages:
    """What is seen and done before there is a case."""

    def __init__(self, triage: Triage, alerts: Alerts, access: Access) -> None:
        self._triage, self._alerts, self._access = triage, alerts, access

    def routes(self) -> list[Route]:
        """Return the pages."""
        return [
            *(Route(f"{place}/alerts", self.queue) for place in (OPERATOR, CONTACT)),
            *(Route(f"{place}/alerts/{{alert_id:uuid}}", self.alert) for place in (OPERATOR, CONTACT)),
            Route(f"{OPERATOR}/cases", self.open_case, methods=["POST"]),
            Route(f"{OPERATOR}/suppressions", self.suppressions),
            Route(f"{OPERATOR}/suppressions", self.suppress, methods=["POST"]),
            Route(f"{OPERATOR}/suppressions/{{suppression_id:uuid}}/end", self.end_suppression, methods=["POST"]),
            Route(f"{OPERATOR}/playbooks", self.playbooks),
        ]

    async def queue(self, request: Request, problem: Problem | None = None) -> Response:
        """List the alerts that wait, or those that are suppressed, with groups to open a case of."""
        requester, query = await page_requester(request, self._access), request.query_params
        part, size = query.get("show", "waiting"), query.get("size", "")
        wanted = _filter(request)
        if part not in _SHOWN or wanted is None:
            raise Problem(404, "not-found", NOT_FOUND)
        waiting, suppressed = await self._triage.counts(requester)
        count = int(size) if size in map(str, PAGE_SIZES) else PAGE_SIZES[0]
        page = await self._triage.queue(requester, wanted, query.get("cursor") or None, count)
        is_plain = part == "waiting" and wanted == QueueFilter() and "cursor" not in query
        has_groups = requester.kind == "operator" and is_plain and waiting > 1
        hours = case_rules_on(today()).queue_hours
        return await render(
            request,
            "soc/queue.html",
            problem.status if problem else 200,
            problem=problem,
            page=page,
            groups=await self._triage.groups(requester) if has_groups else [],
            open_count=waiting,
            suppressed_count=suppressed,
            shown=part,
            wanted=wanted,
            size=count,
            sizes=PAGE_SIZES,
            keep=_kept(request),
            limits=hours,
            **words(request, requester),
        )

    async def alert(self, request: Request, problem: Problem | None = None) -> Response:
        """Show an alert: its rule, why, its evidence, what belongs to it, and what can be done."""
        requester = await page_requester(request, self._access)
        alert_id: UUID = request.path_params["alert_id"]
        queued, case = await self._triage.alert(requester, alert_id)
        found = await self._alerts.alert(requester, alert_id)
        may_act = requester.kind == "operator" and case is None
        reason = filled(gettext_of(request)(found.why), found.values) if found.why else ""
        return await render(
            request,
            "soc/alert.html",
            problem.status if problem else 200,
            problem=problem,
            alert=found,
            queued=queued,
            reason=reason,
            case=case,
            related=await self._triage.related(requester, queued) if may_act else [],
            cases=await self._triage.active_cases(requester, queued.tenant_id) if may_act else [],
            longest_days=case_rules_on(today()).longest_suppression_days,
            **words(request, requester),
        )

    async def open_case(self, request: Request) -> Response:
        """Open a case with alerts, or add them to one (`case`)."""
        requester, form = await page_requester(request, self._access), await read_form(request)
        try:
            alerts, target = keys_of(form, "alerts"), keys_of(form, "case")
            if target:
                case = await self._triage.join(requester, target[0], alerts)
            else:
                case = await self._triage.open_case(requester, alerts, text_of(form, "title"))
        except Problem as problem:
            return await self.queue(request, shown(problem))
        return redirect(f"{OPERATOR}/cases/{case.case_id}?saved={'joined' if target else 'opened'}")

    async def suppressions(self, request: Request, problem: Problem | None = None) -> Response:
        """List what is suppressed: rule, subject, owner, reason, until when, and how many alerts."""
        requester, query = await page_requester(request, self._access), request.query_params
        text = query.get("q", "").strip()[:MAX_WORDS]
        return await render(
            request,
            "soc/suppressions.html",
            problem.status if problem else 200,
            problem=problem,
            page=await self._triage.suppressions(requester, text, query.get("cursor") or None),
            text=text,
            today=clock.now(),
            **words(request, requester),
        )

    async def suppress(self, request: Request) -> Response:
        """Suppress the alerts of a rule, about a subject, or both."""
        requester, form = await page_requester(request, self._access), await read_form(request)
        try:
            tenant = keys_of(form, "tenant")
            await self._triage.suppress(
                requester,
                rule=text_of(form, "rule") if "with_rule" in form else "",
                subject=text_of(form, "subject") if "with_subject" in form else "",
                tenant_id=tenant[0] if tenant else None,
                days=number_of(form, "days"),
                reason=text_of(form, "reason"),
            )
        except Problem as problem:
            return await self.suppressions(request, shown(problem))
        return redirect(f"{OPERATOR}/suppressions?saved=suppressed")

    async def end_suppression(self, request: Request) -> Response:
        """End a suppression."""
        requester = await page_requester(request, self._access)
        await read_form(request)
        try:
            await self._triage.end_suppression(requester, request.path_params["suppression_id"])
        except Problem as problem:
            return await self.suppressions(request, shown(problem))
        return redirect(f"{OPERATOR}/suppressions?saved=ended")

    async def playbooks(self, request: Request) -> Response:
        """Show every playbook with its steps."""
        requester = await page_requester(request, self._access)
        require_operator(requester)
        return await render(request, "soc/playbooks.html", **words(request, requester))


def _filter(request: Request) -> QueueFilter | None:
    """Return the filter of the queue's address, None for one that cannot be."""
    query = request.query_params
    level, origin, tenant = query.get("level", "0") or "0", query.get("origin", ""), query.get("tenant", "")
    try:
        return QueueFilter(
            text=query.get("q", "").strip()[:MAX_WORDS],
            level=Level(int(level)),
            origin=Origin(origin) if origin else None,
            tenant_id=parse_uuid(tenant) if tenant else None,
            suppressed=query.get("show") == "suppressed",
        )
    except ValueError:
        return None


def _kept(request: Request) -> dict[str, str]:
    """Return the parameters of the queue's address that its forms and pages keep."""
    names = ("q", "level", "origin", "tenant", "show", "size")
    return {name: value for name in names if (value := request.query_params.get(name, ""))}
