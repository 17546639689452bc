"""The dated rules of supervision (data/supervision.toml)."""

from datetime import date, timedelta
from functools import cache
from typing import Any

from esante.core.dated_data import in_force, packaged_text, parse_periods
from esante.services.healthnet.supervision.model import AnomalyRule, SupervisionTerms

MEASURES = ("silence", "latency", "loss", "certificate_left", "release_overdue", "traffic_ratio")
_OF_PATH = ("latency", "loss")


def parse_terms(text: str) -> tuple[SupervisionTerms, ...]:
    """Return the periods of a file, oldest first. Raises: KeyError, ValueError for a file that is wrong."""
    return parse_periods(text, _terms)


def terms_on(day: date) -> SupervisionTerms:
    """Return the packaged rules of a day."""
    return in_force(_packaged(), day)


@cache
def _packaged() -> tuple[SupervisionTerms, ...]:
    return parse_terms(packaged_text("esante.services.healthnet", "supervision.toml"))


def _terms(row: dict[str, Any]) -> SupervisionTerms:
    rules = tuple(_rule(one) for one in row["rule"])
    if len({one.key for one in rules}) < len(rules):
        raise ValueError("two rules have one key")
    days = {name: timedelta(days=row[f"{name}_days"]) for name in _KEPT}
    return SupervisionTerms(
        valid_from=row["valid_from"],
        rules=rules,
        usual_of_days=row["usual_of_days"],
        usual_needs=row["usual_needs"],
        usual_floor=float(row["usual_floor"]),
        is_verified=row["verified"],
        **days,
    )


def _rule(row: dict[str, Any]) -> AnomalyRule:
    rule = AnomalyRule(
        key=row["key"],
        of_path=row["of"] == "path",
        measure=row["measure"],
        is_below=row.get("below", False),
        raise_at=float(row["raise_at"]),
        end_at=float(row["end_at"]),
        raise_after=float(row["raise_after"]),
        end_after=float(row["end_after"]),
        level=row["level"],
    )
    if rule.measure not in MEASURES or row["of"] not in ("site", "path") or rule.level not in (1, 2, 3, 4):
        raise ValueError(f"rule {rule.key}: the measure, `of` or the level is unknown")
    if rule.of_path != (rule.measure in _OF_PATH):
        raise ValueError(f"rule {rule.key}: {rule.measure} is no measure of a {row['of']}")
    if (rule.end_at > rule.raise_at) != rule.is_below or rule.end_at == rule.raise_at:
        raise ValueError(f"rule {rule.key}: end_at lies on the good side of raise_at")
    return rule


_KEPT = ("site_hours_kept", "site_days_kept", "path_hours_kept", "path_days_kept", "anomalies_kept")
