"""The country: organisations, professionals, persons."""

from datetime import date
from functools import lru_cache

from esante.demo.model import World
from esante.demo.population.people import draw_citizens
from esante.demo.population.professionals import build_organizations, build_practitioners

SEED = 1
PERSONS = 2_000


@lru_cache(maxsize=2)
def build_world(day: date, *, seed: int = SEED, persons: int = PERSONS) -> World:
    """Return the country on a day: the same for the same arguments, in every process."""
    employers = build_organizations(seed)
    staff = build_practitioners(seed, day, employers)
    return World(
        seed=seed,
        day=day,
        organizations=employers,
        practitioners=staff,
        citizens=draw_citizens(seed, persons, day, staff),
    )
