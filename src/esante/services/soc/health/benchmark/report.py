"""The figures of a run as a table and as JSON, and the labelled set as files."""

from collections.abc import Iterable
from pathlib import Path

import msgspec

from esante.services.soc.health.benchmark.run import BUDGET, Figures, LabelledSet, Result, entry_line, label_line


def figures_table(result: Result) -> str:
    """Return the figures of a run as text."""
    lines = [
        f"seed {result.seed}, {result.weeks} weeks, {result.entries:,} entries; care explains"
        f" {result.visits_explained:.1%} of the visits.",
        f"{result.reviews} reviews at {BUDGET} a week (of {result.candidates} that there could be):"
        f" {result.right_reviews} show misuse ({_share(result.right_reviews, result.reviews)}).",
        "",
        f"{'detection':<24}{'findings':>9}{'right':>7}{'precision':>11}{'incidents':>11}{'found':>7}{'recall':>8}"
        f"{'reviewed':>10}",
    ]
    lines += [
        f"{one.name:<24}{one.findings:>9,}{one.right:>7,}{_share(one.right, one.findings):>11}"
        f"{one.incidents:>11,}{one.found:>7,}{_share(one.found, one.incidents):>8}{one.in_budget:>10,}"
        for one in result.figures
    ]
    return "\n".join(lines)


def figures_json(result: Result) -> str:
    """Return the figures of a run as JSON, with precision and recall of each detection (null: nothing to divide)."""

    def one(figures: Figures) -> dict[str, object]:
        shares = {"precision": figures.precision, "recall": figures.recall}
        return {
            **msgspec.to_builtins(figures),
            **{key: None if share is None else round(share, 3) for key, share in shares.items()},
        }

    whole = msgspec.to_builtins(result) | {"budget": BUDGET, "figures": [one(figures) for figures in result.figures]}
    return msgspec.json.format(msgspec.json.encode(whole), indent=2).decode()


def write_set(labelled: LabelledSet, folder: Path) -> None:
    """Write the entries and the labels of a set as lines of JSON."""
    folder.mkdir(parents=True, exist_ok=True)
    _write(folder / "entries.jsonl", map(entry_line, labelled.entries))
    _write(folder / "labels.jsonl", map(label_line, labelled.incidents))


def _write(path: Path, lines: Iterable[bytes]) -> None:
    with path.open("wb") as file:
        for line in lines:
            file.write(line + b"\n")


def _share(part: int, whole: int) -> str:
    return f"{part / whole:.0%}" if whole else "-"
