"""What the pages of incentives share: money, explanations, names of codes."""

from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Any

from starlette.requests import Request

from esante.core.web import Problem, gettext_of, language_of
from esante.identity.directory import Directory, catalogue
from esante.services.incentives.appeals.service import LONGEST, SHORTEST
from esante.services.incentives.decisions.model import KeptLine, Line
from esante.services.incentives.decisions.words import REASON_NAMES, explain, show_money
from esante.services.incentives.payments.model import ORDER_NAMES
from esante.services.incentives.schemes.model import Scheme

_SHOWN_IN_FORM = (400, 409)
"""Status codes of problems that a form shows; others have a page of their own."""


class PageWords:
    """The words of pages that name schemes and lines."""

    def __init__(self, schemes: Sequence[Scheme], directory: Directory) -> None:
        self._schemes = {one.id: one for one in schemes}
        self._labels = {one.key: one.label for one in schemes}
        self._directory = directory

    def of(self, request: Request) -> dict[str, Any]:
        """Return the functions and names that the templates use, in the language of a page."""
        language, gettext = language_of(request), gettext_of(request)

        def label(key: str) -> str:
            return str(gettext(self._labels[key])) if key in self._labels else key

        def sentences(line: Line) -> list[str]:
            return explain(line, self._schemes.get(line.scheme), language)

        return {
            "money": lambda amount: show_money(amount, language),
            "scheme_label": label,
            "explain": sentences,
            "reasons": REASON_NAMES,
            "order_names": ORDER_NAMES,
            "code": show_code,
            "lengths": (SHORTEST, LONGEST),
            "saved": request.query_params.get("saved", ""),
        }

    async def names(self, codes: Iterable[str]) -> dict[str, str]:
        """Return the names of those who have provider codes, "" for unknown ones."""
        system, names = catalogue().system("provider_code").uri, {}
        for code in sorted(set(codes)):
            holder = await self._directory.find_practitioner(system, code)
            names[code] = holder.name if holder else ""
            if holder is None and (organization := await self._directory.find_organization(system, code)):
                names[code] = organization.name
        return names

    async def names_of_lines(self, lines: Sequence[KeptLine]) -> dict[str, str]:
        """Return the names of the professionals and payees of lines."""
        codes = {one.line.provider_code for one in lines} | {one.line.payee for one in lines}
        return await self.names(code for code in codes if len(code) == 8)


def show_code(code: str) -> str:
    """Return a provider code as it is printed: six digits and two."""
    return f"{code[:6]}-{code[6:]}" if len(code) == 8 and code.isdigit() else code


def shown(problem: Problem) -> Problem:
    """Return a problem that a form shows. Raises: the problem, where it has a page of its own."""
    if problem.status not in _SHOWN_IN_FORM:
        raise problem
    return problem


def marks_of(quarters: Iterable[tuple[Any, Decimal]], request: Request) -> list[tuple[str, float, str]]:
    """Return euros of quarters for a plot."""
    language = language_of(request)
    return [(str(quarter), max(0.0, float(amount)), show_money(amount, language)) for quarter, amount in quarters]
