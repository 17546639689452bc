"""The country as a whole: organisations, professionals, persons."""

from datetime import date
from functools import lru_cache

from esante.demo.model import World
from esante.demo.population.people import citizens
from esante.demo.population.professionals import organizations, practitioners

SEED = 1
PERSONS = 2_000


@lru_cache(maxsize=2)
def world(day: date, *, seed: int = SEED, persons: int = PERSONS) -> World:
    """The country on a day: the same for the same arguments, in every process."""
    employers = organizations(seed)
    staff = practitioners(seed, day, employers)
    return World(
        seed=seed,
        day=day,
        organizations=employers,
        practitioners=staff,
        citizens=citizens(seed, persons, day, staff),
    )
