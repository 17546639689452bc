"""The archive of a hospital as a server of WADO-RS: what it holds, and how it fails."""

import asyncio
import contextlib
import io
import time
from dataclasses import dataclass, field

import orjson
import uvicorn
from pydicom import dcmread
from starlette.applications import Starlette
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from tests.support.dicom import related, uids

LOCATION = "1.3.6.1.4.1.99999.7"


@dataclass
class HospitalArchive:
    """`files` by SOP Instance UID; `failure`: "", error, slow, cut, open (not ended), other (instance), html, redirect."""

    files: dict[str, bytes] = field(default_factory=dict)
    failure: str = ""
    requests: list[str] = field(default_factory=list)
    tokens: set[str] = field(default_factory=set)
    url: str = ""

    def hold(self, files) -> None:
        """Hold files."""
        self.files |= {uids(one)[2]: one for one in files}

    def forget(self) -> None:
        """Forget the requests, and serve well again."""
        self.requests.clear()
        self.failure = ""

    async def instance(self, request) -> Response:
        """Answer with one instance."""
        if (failed := await self._failing(request)) is not None:
            return failed
        found = self.files.get(request.path_params["instance"])
        if found is None:
            return Response(status_code=404)
        if self.failure == "other":
            found = next(one for one in self.files.values() if one is not found)
        body, headers = related([found])
        if self.failure == "cut":
            body = body[: len(body) // 2]
        if self.failure == "open":
            body = body.removesuffix(b"\r\n--a-boundary--\r\n")
        return Response(body, 500 if self.failure == "error" else 200, headers=headers)

    async def metadata(self, request) -> Response:
        """Answer with the headers of a series."""
        if (failed := await self._failing(request)) is not None:
            return failed
        found = [one for one in self.files.values() if uids(one)[1] == request.path_params["series"]]
        headers = [dcmread(io.BytesIO(one), stop_before_pixels=True).to_json_dict() for one in found]
        for one in headers:
            one["7FE00010"] = {"vr": "OW", "BulkDataURI": f"{self.url}/secret"}
            one["00091001"] = {"vr": "OB", "BulkDataURI": f"{self.url}/other"}
        status = 500 if self.failure == "error" else 200
        return Response(orjson.dumps(headers), status, media_type="application/dicom+json")

    async def _failing(self, request) -> Response | None:
        self.requests.append(request.url.path)
        self.tokens.add(request.headers.get("authorization", ""))
        if self.failure == "html":
            return Response("<script>alert(1)</script>", media_type="text/html")
        if self.failure == "redirect":
            return Response(status_code=302, headers={"Location": "http://127.0.0.1:1/"})
        if self.failure == "slow":

            async def dripping():
                began = time.monotonic()
                yield b"--x\r\nContent-Type: application/dicom\r\n\r\n"
                while time.monotonic() - began < 20:
                    yield b"x"
                    await asyncio.sleep(5)

            return StreamingResponse(dripping(), media_type='multipart/related; boundary="x"')
        return None

    @contextlib.asynccontextmanager
    async def serving(self):
        """Serve at a free port of this machine."""
        series = "/rs/studies/{study}/series/{series}"
        app = Starlette(
            routes=[
                Route(f"{series}/instances/{{instance}}", self.instance),
                Route(f"{series}/metadata", self.metadata),
            ]
        )
        server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="error", lifespan="off"))
        task = asyncio.create_task(server.serve())
        while not server.started:
            await asyncio.sleep(0.01)
        self.url = f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}/rs"
        try:
            yield self
        finally:
            server.should_exit = True
            server.force_exit = True
            await task
