"""The words of a decision: why a line pays what it pays, in the language of the reader."""

from collections.abc import Callable
from decimal import Decimal

from babel.numbers import format_currency

from esante.core.web import N_, show_date, translator
from esante.services.incentives.decisions.model import Line, Reason
from esante.services.incentives.schemes.model import Scheme, Unit

REASON_NAMES = {
    Reason.ENTITLED: N_("Entitled"),
    Reason.THRESHOLD: N_("Threshold not reached"),
    Reason.UNLABELLED: N_("Software without a label"),
    Reason.WITHDRAWN: N_("Documents cancelled"),
    Reason.PAYEE_CAP: N_("Limit of the payee reached"),
    Reason.BUDGET: N_("Budget used up"),
    Reason.DEADLINE: N_("Deadline passed"),
    Reason.CLAIMED_TWICE: N_("Claimed by two vendors"),
    Reason.CONNECTED_BEFORE: N_("Paid before"),
    Reason.NO_EVIDENCE: N_("No documents yet"),
    Reason.SOFTWARE_CHANGED: N_("Software changed"),
    Reason.CORRECTION: N_("Correction"),
    Reason.APPEAL: N_("Appeal upheld"),
}
"""The reasons in few words (msgids)."""
_LOCALES = {"lb": "lb", "fr": "fr", "de": "de", "en": "en_GB"}


def show_money(amount: Decimal, language: str) -> str:
    """Return an amount of euros as the language writes it."""
    return str(format_currency(amount, "EUR", locale=_LOCALES.get(language, "en_GB")))


def explain(line: Line, scheme: Scheme | None, language: str) -> list[str]:
    """Return the explanation of a line, a sentence for each reason. `scheme`: its row, None where the file lost it."""
    texts = translator(language)
    values = _values(line, scheme, language, texts.ngettext)
    sentences = [texts.gettext(_SENTENCES[one]) % values for one in line.reasons if one is not Reason.ENTITLED]
    if Reason.ENTITLED in line.reasons or line.reasons[0] in (Reason.PAYEE_CAP, Reason.BUDGET):
        wanted = _EACH if scheme is None or scheme.unit is Unit.DOCUMENT else _ONCE
        sentences.insert(0, texts.gettext(wanted) % values)
    return sentences


def _values(
    line: Line, scheme: Scheme | None, language: str, ngettext: Callable[[str, str, int], str]
) -> dict[str, str]:
    def documents(count: int) -> str:
        return ngettext("%(num)s document", "%(num)s documents", count) % {"num": count}

    deadline = scheme.deadline(line.provider_code) if scheme else None
    return {
        "documents": documents(line.documents),
        "uncounted": documents(line.uncounted),
        "withdrawn": documents(line.withdrawn),
        "threshold": documents(scheme.threshold) if scheme else "",
        "each": _unit_price(scheme, language) if scheme else "",
        "amount": show_money(line.amount, language),
        "cap": show_money(scheme.payee_cap, language) if scheme and scheme.payee_cap is not None else "",
        "deadline": show_date(deadline, language) if deadline else "",
        "product": line.product,
        "quarter": str(line.of_quarter),
    }


def _unit_price(scheme: Scheme, language: str) -> str:
    """Return the amount of one unit; of a document with all its decimals."""
    places = max(2, -int(scheme.amount.normalize().as_tuple().exponent))
    pattern = None if places == 2 else {"en": "¤#,##0." + "0" * places}.get(language, "#,##0." + "0" * places + " ¤")
    return str(format_currency(scheme.amount, "EUR", pattern, locale=_LOCALES[language], currency_digits=False))


_EACH = N_("%(documents)s with %(product)s count, at %(each)s each.")
_ONCE = N_("%(documents)s count; %(threshold)s are needed. The incentive of %(each)s is paid once.")
_SENTENCES = {
    Reason.THRESHOLD: N_("%(documents)s count, but %(threshold)s are needed."),
    Reason.UNLABELLED: N_("%(uncounted)s do not count: the software had no label on the day."),
    Reason.WITHDRAWN: N_("%(withdrawn)s do not count: they were cancelled."),
    Reason.PAYEE_CAP: N_("Nobody gets more than %(cap)s in all by this incentive: %(amount)s are left to pay."),
    Reason.BUDGET: N_("The budget of this incentive is used up: %(amount)s are left to pay."),
    Reason.DEADLINE: N_("It had to be claimed and connected by %(deadline)s."),
    Reason.CLAIMED_TWICE: N_("Another vendor claims this practice as well, and its software sent documents first."),
    Reason.CONNECTED_BEFORE: N_("This practice was paid for before: it is paid for once."),
    Reason.NO_EVIDENCE: N_(
        "This software has sent no documents for this practice yet. It is looked at again next quarter."
    ),
    Reason.SOFTWARE_CHANGED: N_("You changed your software during the quarter: the documents of each are counted."),
    Reason.CORRECTION: N_("Correction for %(quarter)s: documents were cancelled after it was decided."),
    Reason.APPEAL: N_("Your appeal was upheld: %(amount)s are paid in addition."),
}
