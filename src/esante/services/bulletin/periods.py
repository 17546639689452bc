"""Months as text, "2026-10": the periods of the bulletin."""


def shift_month(period: str, months: int) -> str:
    """Return the month so many months later, or earlier when negative: `shift_month("2026-01", -1)` is "2025-12"."""
    count = int(period[:4]) * 12 + int(period[5:]) - 1 + months
    return f"{count // 12:04}-{count % 12 + 1:02}"


def months_between(first: str, last: str) -> list[str]:
    """Return the months from `first` to `last`, both included; none when `last` is earlier."""
    found, period = [], first
    while period <= last:
        found.append(period)
        period = shift_month(period, 1)
    return found
