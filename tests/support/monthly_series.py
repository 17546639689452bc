"""Invented monthly series with known properties."""

import math
import random


def make_series(
    length: int = 36, growth: float = 0.01, swing: float = 0.1, noise: float = 0.01, seed: int = 3
) -> list[float]:
    """Return a monthly series that grows, swings over the year, and has noise (all relative)."""
    chance = random.Random(seed)
    return [
        1_000 * (1 + growth) ** n * (1 + swing * math.sin(n / 12 * math.tau)) * (1 + noise * chance.uniform(-1, 1))
        for n in range(length)
    ]


def make_share(length: int = 36, level: float = 97.0, noise: float = 0.2, seed: int = 3) -> list[float]:
    """Return a share in percent that rises quickly from near zero to a level and stays around it."""
    chance = random.Random(seed)
    return [min(level * (1 - math.exp(-n / 4)) + noise * chance.uniform(-1, 1), 100.0) for n in range(1, length + 1)]


def make_shift(length: int = 36, month: int = 22, size: float = 0.7, seed: int = 3) -> list[float]:
    """Return a series whose level rises for good in a month."""
    return [value * (1 + size * (n >= month)) for n, value in enumerate(make_series(length, seed=seed))]
