"""Contact points of trial countries, and what they publish about themselves."""

import functools
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from esante.core import clock
from esante.core.journal import Journal
from esante.core.storage import Database
from esante.services.exchange.contact_points.own import Own, load_own
from esante.services.exchange.contact_points.publication import write_publication
from esante.services.exchange.contact_points.registration import fingerprint
from esante.services.exchange.contact_points.service import ContactPoints
from esante.services.exchange.contact_points.terms import terms_on
from esante.services.exchange.contact_points.trial_keys import write_trial_keys

HOMES = {"LU": "2.999.1", "PT": "2.999.2", "MT": "2.999.3"}


@functools.cache
def trial_keys(country: str) -> Path:
    """Return a folder with the keys of a country."""
    folder = Path(tempfile.mkdtemp(prefix=f"ncp-{country}-"))
    write_trial_keys(folder, country, "127.0.0.1", clock.now())
    return folder


@dataclass(frozen=True)
class TrialCountry:
    """A contact point with its keys, as its country runs it."""

    own: Own

    @property
    def confirmed(self) -> frozenset[str]:
        """The fingerprint of its seal, as its operator reads it out."""
        return frozenset({fingerprint(self.own.issuer.certificate)})

    def files(self, url: str = "https://127.0.0.1:8443", at: datetime | None = None) -> dict[str, bytes]:
        """Return what it publishes."""
        at = at or clock.now()
        return dict(write_publication(self.own, terms_on(at.date()), url, at))


def trial_country(country: str) -> TrialCountry:
    """Return the contact point of a country."""
    return TrialCountry(load_own(trial_keys(country), country, HOMES[country]))


def contact_points(db: Database, journal: Journal, folder: Path, country: str = "LU") -> ContactPoints:
    """Return the contact point of a country over a database, with its keys copied into a folder."""
    shutil.copytree(trial_keys(country), folder, dirs_exist_ok=True)
    return ContactPoints(db, journal, folder, country, HOMES[country])


def changed(files: Mapping[str, bytes], name: str, before: bytes, after: bytes) -> dict[str, bytes]:
    """Return files with a change in one of them."""
    assert before in files[name]
    return {**files, name: files[name].replace(before, after)}
