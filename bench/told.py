"""How a load is told in figures."""

from bench.client import Result

Figures = dict[str, str | float]


def told(what: str, result: Result, per: int | None = None) -> Figures:
    """Rate and times; the processor time of one request, or of one of `per` things done by them all."""
    wrong = {status: count for status, count in result.statuses.items() if status >= 300}
    figures: Figures = {
        what: f"{result.rate:,.0f}/s   p50 {result.percentile(0.5):.1f} ms   p95 {result.percentile(0.95):.1f} ms"
        f"   p99 {result.percentile(0.99):.1f} ms"
    }
    each = {part: seconds / max(1, per or len(result.times)) * 1e6 for part, seconds in result.cores.items()}
    figures[f"{what}: processor time of one"] = "   ".join(f"{part} {each[part]:,.0f} µs" for part in each)
    if wrong:
        figures[f"{what}: WRONG ANSWERS"] = str(wrong)
    return figures
