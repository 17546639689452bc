"""An application with the pages of images, and browsers that are signed in."""

import httpx
import pytest
from starlette.routing import Mount

from esante.identity.access import requester_of
from esante.services.imaging.download.service import Downloads
from esante.services.imaging.pages.download_pages import DownloadPages
from esante.services.imaging.pages.share_pages import SharePages
from esante.services.imaging.pages.shared_pages import SharedPages
from esante.services.imaging.pages.study_pages import StudyPages, study_address
from esante.services.imaging.pages.viewer_pages import ViewerPages
from esante.services.imaging.sharing.service import Shares
from tests.support.dicom import stow, study_files, uids
from tests.support.record import BASE
from tests.support.record_pages import page_app, sign_in


@pytest.fixture(scope="module")
def shares(world, imaging):
    """The links of all persons, which usually work for 90 days."""
    return Shares(
        world.db,
        world.journal,
        imaging.archive,
        world.directory,
        world.access,
        base_url=BASE,
        days=90,
    )


@pytest.fixture(scope="module")
def app(world, imaging, shares):
    """The pages of images and of the record with DICOMweb, and a way to sign in as anybody."""
    app = page_app(world)
    world.record.viewers["imaging_study"] = study_address
    downloads = Downloads(world.db, imaging.archive, imaging.renderer, world.directory)
    places = world.record, world.journal, world.access, world.directory
    pages = StudyPages(world.db, imaging.archive, *places, downloads)
    viewer = ViewerPages(world.db, imaging.archive, world.access)
    shared = SharedPages(world.db, shares, imaging.archive, imaging.renderer, world.directory, downloads)
    made = [
        *pages.routes(),
        *viewer.routes(),
        *SharePages(shares, imaging.archive, world.access).routes(),
        *shared.routes(),
        *DownloadPages(downloads, imaging.archive, world.access).routes(),
    ]
    app.router.routes.extend([*made, Mount("/", routes=imaging.app().routes)])
    return app


@pytest.fixture
async def browse(app):
    """`await browse(requester)` returns a client in which the requester is signed in."""
    clients = []

    async def visit(requester):
        clients.append(await sign_in(app, requester))
        return clients[-1]

    yield visit
    for client in clients:
        await client.aclose()


@pytest.fixture
def store(imaging, world):
    """`await store(files)` stores files as the hospital."""

    async def store(files):
        async with imaging.client(world.people["hospital"]) as client:
            assert (await stow(client, files)).status_code == 200

    return store


@pytest.fixture
async def study(store, person):
    """The files of a stored study of two series."""
    files = study_files(person, series=2, instances=3)
    await store(files)
    return files


@pytest.fixture
def make(shares, person, study):
    """`await make()` makes a link to the study."""

    async def make(days=90, downloads=False):
        return await shares.create(requester_of(person), uids(study[0])[0], "Dr Weber", days, downloads=downloads)

    return make


@pytest.fixture
async def recipient(app):
    """Somebody without an account, with a browser."""
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=BASE) as client:
        client.cookies.set("esante_lang", "en")
        yield client
