"""Rules that several modules need: two releases of supporting data, the calendar of Luxembourg."""

from datetime import date

import pytest

from esante.services.vaccination.forecast import load_rules


@pytest.fixture(scope="session")
def cdsi_data(shared_data):
    """The folder with the supporting data and the cases; tests that need it are skipped where it is absent."""
    folder = shared_data / "cdsi"
    if not folder.is_dir():
        pytest.skip(f"no real inputs: {folder} is absent")
    return folder


@pytest.fixture(scope="session")
def cdsi_438(cdsi_data):
    """Release 4.38, for which the cases were written."""
    return load_rules("cdsi", cdsi_data / "supporting-data-4.38")


@pytest.fixture(scope="session")
def cdsi_464(cdsi_data):
    """Release 4.64."""
    return load_rules("cdsi", cdsi_data / "supporting-data-4.64")


@pytest.fixture(scope="session")
def lu():
    """The calendar of Luxembourg at the end of 2026."""
    return load_rules("lu", on=date(2026, 11, 29))
