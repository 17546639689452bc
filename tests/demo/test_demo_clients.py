"""OAuth clients of the demo: keys and registration."""

import json

from esante.core.storage import NIL
from esante.demo import CLINIC_APP_ID, SAMPLE_APP_ID, private_key_path, register_apps
from esante.identity.access import Access, ClientRegistered


async def test_private_key_of_the_hospital_is_readable_by_its_owner_only(platform):
    path = private_key_path(platform.settings.data)
    key = json.loads(path.read_text())
    assert path.stat().st_mode & 0o077 == 0
    assert (key["kty"], key["crv"]) == ("EC", "P-384")
    assert "d" in key


async def test_apps_are_registered_once_at_the_platform_address(platform):
    async def registered():
        entries = await platform.journal.entries_of(NIL, [ClientRegistered], limit=50)
        return [entry.event.client_id for entry in entries if entry.event.client_id in (SAMPLE_APP_ID, CLINIC_APP_ID)]

    for _ in range(2):
        await register_apps(platform)
    assert sorted(await registered()) == [SAMPLE_APP_ID, CLINIC_APP_ID]
    sample, clinic = [await platform[Access].clients.find(id_) for id_ in (SAMPLE_APP_ID, CLINIC_APP_ID)]
    assert sample.launch_url == f"{platform.settings.base_url}/demo/app"
    assert sample.launch_url in sample.redirect_uris
    assert (sample.public, clinic.public) == (True, False)
    assert private_key_path(platform.settings.data, CLINIC_APP_ID).stat().st_mode & 0o077 == 0
