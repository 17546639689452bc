"""Declaration of disclosure control: the secret of the platform's statistics."""

from collections.abc import Iterable
from pathlib import Path

from esante.contract import Platform, Service
from esante.core.disclosure.key import StatisticsKey


def _build(platform: Platform) -> Iterable[object]:
    settings = platform.settings
    journal_key = Path(settings.journal_key or settings.data / "keys" / "journal.pem")
    yield StatisticsKey.open(journal_key.with_name("bulletin.key"))


SERVICE = Service(package="esante.core.disclosure", build=_build)
