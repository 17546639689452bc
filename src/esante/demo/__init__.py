"""A synthetic Luxembourg: invented persons, professionals and documents, the same for the same seed and day."""

from esante.demo.cast import become, everyone, find, people_json, personas, token_for
from esante.demo.documents import documents_of
from esante.demo.keys import CLIENT_ID, key_file
from esante.demo.load import load
from esante.demo.model import Citizen, DemoDocument, World
from esante.demo.world import PERSONS, SEED, world

__all__ = [
    "CLIENT_ID",
    "PERSONS",
    "SEED",
    "Citizen",
    "DemoDocument",
    "World",
    "become",
    "documents_of",
    "everyone",
    "find",
    "key_file",
    "load",
    "people_json",
    "personas",
    "token_for",
    "world",
]
