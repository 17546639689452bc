"""The figures of a load."""

from bench.load_generator import LoadResult

Figures = dict[str, str | float]


def load_figures(name: str, result: LoadResult, per: int | None = None) -> Figures:
    """Return rate and response times, and the processor time of one request, or of one of `per` items in all requests."""
    wrong = {status: count for status, count in result.statuses.items() if status >= 300}
    figures: Figures = {
        name: f"{result.rate:,.0f}/s   p50 {result.percentile(0.5):.1f} ms   p95 {result.percentile(0.95):.1f} ms"
        f"   p99 {result.percentile(0.99):.1f} ms"
    }
    each = {part: seconds / max(1, per or len(result.times)) * 1e6 for part, seconds in result.cores.items()}
    figures[f"{name}: processor time of one"] = "   ".join(f"{part} {each[part]:,.0f} µs" for part in each)
    if wrong:
        figures[f"{name}: WRONG ANSWERS"] = str(wrong)
    return figures
