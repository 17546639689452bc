"""The demonstration data of the access body."""

from types import SimpleNamespace

from esante.services.research.accounts.service import Accounts
from esante.services.research.applications.decisions import Decisions
from esante.services.research.applications.service import Applications
from esante.services.research.demo import load_demo, researcher_key_path


class _Built(dict):
    """The service objects by their classes, as the platform gives them, and its data folder."""


async def test_demo_is_loaded_once_with_a_permit_and_an_application_that_waits(
    accounts, applications, decisions, permits, operator, tmp_path
):
    platform = _Built({Accounts: accounts, Applications: applications, Decisions: decisions})
    platform.settings = SimpleNamespace(data=tmp_path)
    for _ in range(2):
        await load_demo(platform, None, lambda *_: None)
    assert len((await permits.published()).items) == 1 and await decisions.count_waiting() == 1
    assert len((await accounts.search(operator)).items) == 1
    key = researcher_key_path(tmp_path).read_text()
    researcher_key_path(tmp_path).unlink()
    await load_demo(platform, None, lambda *_: None)
    assert researcher_key_path(tmp_path).read_text() != key, "a lost key is replaced"
