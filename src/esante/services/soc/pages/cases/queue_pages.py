"""The pages of the queue: alerts that wait, one alert, playbooks."""

from uuid import UUID

from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from esante.core.storage import parse_uuid
from esante.core.time_zone import today
from esante.core.web import NOT_FOUND, Problem, gettext_of, language_of, read_form, redirect, render
from esante.identity.access import Access, require_operator
from esante.services.soc.alerts.model import Level, Origin
from esante.services.soc.alerts.service import Alerts
from esante.services.soc.cases.model import QueueFilter, QueuePart
from esante.services.soc.health.words import explain
from esante.services.soc.pages.page_words import (
    CONTACT,
    MAX_WORDS,
    OPERATOR,
    filled,
    keys_of,
    page_requester,
    shown,
    text_of,
    words,
)
from esante.services.soc.triage.dismissals import DISMISSED_AS, Dismissals
from esante.services.soc.triage.groups import case_rules_on
from esante.services.soc.triage.service import PAGE_SIZES, Triage


class QueuePages:
    """What is seen and done before there is a case."""

    def __init__(self, triage: Triage, dismissals: Dismissals, alerts: Alerts, access: Access) -> None:
        self._triage, self._dismissals, self._alerts, self._access = triage, dismissals, alerts, access

    def routes(self) -> list[Route]:
        """Return the pages."""
        return [
            *(Route(f"{place}/alerts", self.queue) for place in (OPERATOR, CONTACT)),
            *(Route(f"{place}/alerts/{{alert_id:uuid}}", self.alert) for place in (OPERATOR, CONTACT)),
            Route(f"{OPERATOR}/cases", self.open_case, methods=["POST"]),
            Route(f"{OPERATOR}/alerts/dismiss", self.dismiss, methods=["POST"]),
            Route(f"{OPERATOR}/alerts/{{alert_id:uuid}}/restore", self.restore, methods=["POST"]),
            Route(f"{OPERATOR}/playbooks", self.playbooks),
        ]

    async def queue(self, request: Request, problem: Problem | None = None, form: FormData | None = None) -> Response:
        """List the alerts that wait, are suppressed or were dismissed, with groups to open a case of."""
        requester, query = await page_requester(request, self._access), request.query_params
        size, wanted = query.get("size", ""), _filter(request)
        if wanted is None:
            raise Problem(404, "not-found", NOT_FOUND)
        counts = await self._triage.counts(requester)
        count = int(size) if size in map(str, PAGE_SIZES) else PAGE_SIZES[0]
        page = await self._triage.queue(requester, wanted, query.get("cursor") or None, count)
        is_plain = wanted == QueueFilter() and "cursor" not in query
        has_groups = requester.kind == "operator" and is_plain and counts[QueuePart.WAITING] > 1
        hours = case_rules_on(today()).queue_hours
        return await render(
            request,
            "soc/queue.html",
            problem.status if problem else 200,
            problem=problem,
            page=page,
            groups=await self._triage.groups(requester) if has_groups else [],
            counts=counts,
            shown=wanted.part,
            wanted=wanted,
            values={name: text_of(form, name) for name in ("outcome", "reason")} if form else {},
            chosen={str(one) for one in form.getlist("alerts")} if form else set(),
            dismissed_as=DISMISSED_AS,
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
        may_act = requester.kind == "operator" and case is None and queued.dismissed_at is None
        language, gettext = language_of(request), gettext_of(request)
        reasons = explain(found.why, found.values, language) if found.origin is Origin.HEALTH and found.why else []
        if found.why and not reasons:
            reasons = [filled(gettext(found.why), found.values)]
        return await render(
            request,
            "soc/alert.html",
            problem.status if problem else 200,
            problem=problem,
            alert=found,
            queued=queued,
            reasons=reasons,
            case=case,
            dismissed_as=DISMISSED_AS,
            related=await self._triage.related(requester, queued) if may_act else [],
            cases=await self._triage.active_cases(requester, queued) if may_act else [],
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

    async def dismiss(self, request: Request) -> Response:
        """Dismiss the selected alerts."""
        requester, form = await page_requester(request, self._access), await read_form(request)
        given = keys_of(form, "alerts"), text_of(form, "outcome"), text_of(form, "reason")
        try:
            await self._dismissals.dismiss(requester, *given)
        except Problem as problem:
            return await self.queue(request, shown(problem), form)
        return redirect(f"{OPERATOR}/alerts?saved=dismissed")

    async def restore(self, request: Request) -> Response:
        """Let a dismissed alert wait again."""
        requester = await page_requester(request, self._access)
        await read_form(request)
        try:
            await self._dismissals.restore(requester, request.path_params["alert_id"])
        except Problem as problem:
            return await self.alert(request, shown(problem))
        return redirect(f"{OPERATOR}/alerts/{request.path_params['alert_id']}?saved=restored")

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
            part=QueuePart(query.get("show", "waiting")),
        )
    except ValueError:
        return None


def _kept(request: Request) -> dict[str, str]:
    """Return the parameters of the queue's address that its forms and pages keep."""
    names = ("q", "level", "origin", "tenant", "show", "size")
    return {name: value for name in names if (value := request.query_params.get(name, ""))}
