"""The report of a run: as JSON, signed as a JWS, and as PDF."""

from datetime import datetime
from importlib.resources import files
from typing import Any

import msgspec
import orjson
from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import ECKey

from esante.core.types import Json
from esante.core.web import N_, current_agency, show_datetime, translator, typeset_pdf
from esante.services.conformance.kits.model import VERDICT_NAMES, Exchange, Kit, Outcome, Run

_ALGORITHM = "ES256"
_HEAD = (N_("Requirement"), N_("Result"), N_("What was found"))
SUMMARY = N_("%(passed)s of %(total)s requirements are met, %(failed)s are not.")
TECHNICAL = N_("Technical details are in English, as in the specifications.")
_TITLE = N_("Report of a conformance test")


class ReportError(ValueError):
    """A report is not readable, or its signature is not valid."""


def report(run: Run, kit: Kit) -> Json:
    """Return a run as JSON, with the titles, texts and sources of its requirements."""
    known = {one.id: one for one in kit.requirements}
    outcomes = []
    for outcome in run.outcomes:
        details: Json = {}
        if requirement := known.get(outcome.requirement):
            title, requires = requirement.titles["en"], requirement.requires
            details = {"title": title, "requires": requires, "source": requirement.source}
        outcomes.append(details | msgspec.to_builtins(outcome))
    head: Json = msgspec.to_builtins(run)
    return head | {"passed": run.passed, "outcomes": outcomes}


def read_run(content: Json) -> Run:
    """Return the run of a report. Raises: `ReportError`."""
    try:
        outcomes = [
            {name: value for name, value in one.items() if name in Outcome.__dataclass_fields__}
            for one in content["outcomes"]
        ]
        fields = {name: value for name, value in content.items() if name in Run.__dataclass_fields__}
        return msgspec.convert(fields | {"outcomes": outcomes}, Run)
    except (KeyError, AttributeError, TypeError, msgspec.ValidationError) as error:
        raise ReportError(f"This is no report of a run: {error}") from error


def sign(content: Json, key: ECKey) -> str:
    """Return a report as a compact JWS (RFC 7515), whose header carries the public key."""
    public = key.as_dict(private=False)
    header = {"alg": _ALGORITHM, "typ": "esante-conformance-report+jws", "kid": key.thumbprint(), "jwk": public}
    return jws.serialize_compact(header, orjson.dumps(content), key, algorithms=[_ALGORITHM])


def verify(token: str, key: ECKey) -> Json:
    """Return the report in a JWS that a key signed. Raises: `ReportError`."""
    try:
        content = orjson.loads(jws.deserialize_compact(token, key, algorithms=[_ALGORITHM]).payload)
    except (JoseError, ValueError) as error:
        raise ReportError("The signature of the report is not valid.") from error
    return dict(content)


def read_key(text: bytes) -> ECKey:
    """Return the key of a PEM text, or of a JWK. Raises: ValueError for anything else."""
    try:
        return ECKey.import_key(orjson.loads(text) if text.lstrip().startswith(b"{") else text)
    except JoseError as error:
        raise ValueError("This is no key of the kind P-256.") from error


def public_key(key: ECKey) -> Json:
    """Return the public part of a key as JWK."""
    return {**key.as_dict(private=False), "kid": key.thumbprint(), "alg": _ALGORITHM, "use": "sig"}


def new_key() -> bytes:
    """Return a new signing key as PEM."""
    return ECKey.generate_key("P-256").as_pem(private=True)


def transcript_line(exchange: Exchange) -> str:
    """Return a line that says what was sent and what came back."""
    answer = str(exchange.status) if exchange.status else "no answer"
    return f"{exchange.method} {exchange.address} -> {answer}, {exchange.milliseconds} ms"


def report_pdf(run: Run, kit: Kit | None, language: str) -> bytes:
    """Return a run as PDF/A-2a and PDF/UA-1 in a language; `kit`: None when it is no more."""
    text, known = translator(language).gettext, {one.id: one for one in (kit.requirements if kit else ())}
    rows = []
    for one in run.outcomes:
        title = known[one.requirement].titles[language] if one.requirement in known else ""
        found = " ".join(part for part in (one.what, one.remedy) if part)
        rows.append([f"{one.requirement} {title}", text(VERDICT_NAMES[one.verdict]), found])
    day: datetime = run.ended_at
    content: dict[str, Any] = {
        "lang": language,
        "date": [day.year, day.month, day.day],
        "title": text(_TITLE),
        "kit": f"{kit.titles[language] if kit else run.kit} {run.kit_version}",
        "target": run.target,
        "run": str(run.id),
        "when": show_datetime(run.ended_at, language),
        "summary": text(SUMMARY)
        % {"passed": run.count("passed"), "total": len(run.outcomes), "failed": run.count("failed")},
        "agency": current_agency().agency_name.of(language),
        "page": text(N_("Page")),
        "head": [text(name) for name in _HEAD],
        "rows": rows,
        "note": text(TECHNICAL),
    }
    template = files(__package__) / "data" / "report.typ"
    return typeset_pdf(template.read_bytes(), {"report": orjson.dumps(content).decode()}, run.ended_at)
