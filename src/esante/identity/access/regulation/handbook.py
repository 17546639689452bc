"""The rules of a policy set as a page for people (Markdown, English)."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta

from esante.identity.access.regulation.contexts import Context
from esante.identity.access.regulation.matrix import Matrix, MatrixException, MatrixPeriod, Right
from esante.identity.access.regulation.policy_set import PolicySet

_HEAD = """\
# Access matrix

Who may read and write what in a record, in which context of care, and for how long: the policy set `{name}`
(`src/esante/identity/access/data/{name}`). This page is printed by `esante access matrix` from those data.
The access decision (`identity/access/rules.py`) uses what is in force on the calendar day of the act.

W: reads and writes, r: reads, -: neither. "verified" means that the text of the law was read for it; "assumed", that
the law leaves it to the agency, and that operators may change it: one proposes another legal category for a class of
documents from a day on, a second one confirms it.
"""


def access_page(rules: PolicySet, labels: Mapping[str, str]) -> str:
    """Return the page of a policy set; `labels`: the names of the document classes by key."""
    parts = [_HEAD.format(name=rules.name).rstrip()]
    for period in rules.matrix.periods:
        parts += ["", *_matrix_lines(rules.matrix, period)]
    if rules.matrix.exceptions:
        parts += ["", *_exception_lines(rules.matrix)]
    parts += ["", *_column_lines(rules.matrix), "", *_context_lines(rules), "", *_assignment_lines(rules, labels)]
    return "\n".join(parts) + "\n"


def _matrix_lines(matrix: Matrix, period: MatrixPeriod) -> list[str]:
    rows = [
        [category.label, *(_mark(period.cells[column.key, category.key]) for column in matrix.columns)]
        for category in matrix.categories
    ]
    written = ", ".join(one.label for one in matrix.categories if one.key in period.holder_writes)
    return [
        f"## From {period.valid_from}",
        "",
        f"{period.legal_source} ({_state(period.verified)}).",
        "",
        f"The person of the record reads everything, and writes: {written}.",
        "",
        *_table(["Category", *(column.label for column in matrix.columns)], rows),
    ]


def _exception_lines(matrix: Matrix) -> list[str]:
    columns = {column.key: column.label for column in matrix.columns}
    rows = [
        [columns[one.column], one.label, one.document_class, _term(one), _state(one.verified), one.legal_source]
        for one in matrix.exceptions
    ]
    head = ["Column", "Writes also", "Document class", "In force", "", "Source"]
    return ["## Exceptions by other laws", "", *_table(head, rows)]


def _term(one: MatrixException) -> str:
    return f"{one.valid_from} to {one.until}" if one.until else f"from {one.valid_from}"


def _column_lines(matrix: Matrix) -> list[str]:
    rows = [
        [column.label, ", ".join(column.members) or f"a function within {column.function_of}", column.legal_source]
        for column in matrix.columns
    ]
    software = [
        [one.kind, next(column.label for column in matrix.columns if column.key == one.column), one.legal_source]
        for one in matrix.organizations
    ]
    return [
        "## Columns",
        "",
        "Somebody acts in the profession of the role in which they signed in. Who is in no column sees no document.",
        "",
        *_table(["Column", "Professions", "Source"], rows),
        "",
        "The software of an organisation acts in one column; what it deposits for a professional, in theirs.",
        "",
        *_table(["Kind of organisation", "Column", "Source"], software),
    ]


def _context_lines(rules: PolicySet) -> list[str]:
    lines = ["## Contexts of care"]
    for period in rules.contexts:
        for title, legal in (("by law", True), ("beyond the law, a choice of the agency", False)):
            rows = [_context_row(one) for one in period.contexts if one.legal is legal]
            if rows:
                head = ["Context", "Given by", "Encounter", "At most", "Renewal", "Offered", "Source"]
                lines += ["", f"From {period.valid_from}, {title}:", "", *_table(head, rows)]
    for terms in rules.policies:
        if terms.code_default:
            hours = terms.code_default // timedelta(hours=1)
            usual = f"a presence code gives access for {hours} hours, unless the person chooses otherwise"
            lines += ["", f"From {terms.valid_from}, within the law: {usual} (a choice of the agency)."]
    return lines


def _assignment_lines(rules: PolicySet, labels: Mapping[str, str]) -> list[str]:
    names = {one.key: one.label for one in rules.matrix.categories}
    rows = [
        [
            labels.get(one.document_class, one.document_class),
            one.document_class,
            names[one.category],
            str(one.valid_from),
            "assumed" if one.assumed else "by law",
            one.legal_source,
        ]
        for one in rules.assignments
    ]
    head = ["Document class", "Key", "Legal category", "From", "", "Source"]
    return ["## Sorting of documents", "", *_table(head, rows)]


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    return [f"| {' | '.join(head)} |", "|" + "---|" * len(head), *(f"| {' | '.join(row)} |" for row in rows)]


def _mark(right: Right) -> str:
    return "W" if right.write else "r" if right.read else "-"


def _state(verified: bool) -> str:
    return "verified" if verified else "not verified"


def _context_row(one: Context) -> list[str]:
    return [one.label, one.grant.value, one.encounter, _ceiling(one), _renewal(one), _switch(one), one.legal_source]


def _ceiling(context: Context) -> str:
    parts = [f"{context.hours} hours" if context.hours else "", f"{context.days} days" if context.days else ""]
    return " + ".join(part for part in parts if part) or "no limit"


def _renewal(context: Context) -> str:
    return f"{context.renewals} x {context.renewal_days} days" if context.renewals else ""


def _switch(context: Context) -> str:
    return f"{'yes' if context.allowed else 'no'} ({_state(context.verified)})"
