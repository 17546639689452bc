"""Memory while a very large instance comes in."""

import resource
import struct

import pytest

from tests.support.dicom import BOUNDARY, ct_image, file_of, related

GIB = 1024**3


@pytest.mark.long
async def test_two_gib_come_in_and_go_out_in_less_than_300_mib(imaging, world, person):
    frames = 2 * GIB // (512 * 512 * 2)
    image = ct_image(person, NumberOfFrames=frames, Rows=512, Columns=512, PixelData=b"\x00\x00")
    file = file_of(image)
    head = file[: -2 - 4] + struct.pack("<I", 2 * GIB)
    piece = bytes(1024**2)

    async def body():
        yield f"--{BOUNDARY}\r\nContent-Type: application/dicom\r\n\r\n".encode() + head
        for _ in range(2 * 1024):
            yield piece
        yield f"\r\n--{BOUNDARY}--\r\n".encode()

    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    async with imaging.serving() as url:
        import httpx

        from tests.services.imaging.gateway.test_gateway import token_of

        token = await token_of(world, world.people["hospital"])
        async with httpx.AsyncClient(timeout=600, headers={"Authorization": f"Bearer {token}"}) as client:
            answer = await client.post(f"{url}/studies", content=body(), headers=related([])[1])
            assert answer.status_code == 200, answer.text
            path = f"{url}/studies/{image.StudyInstanceUID}/series/{image.SeriesInstanceUID}"
            received = 0
            async with client.stream("GET", path) as response:
                async for part in response.aiter_bytes():
                    received += len(part)
            assert received > 2 * GIB
            frame = await client.get(f"{path}/instances/{image.SOPInstanceUID}/frames/{frames}")
            assert len(frame.content) > 512 * 512 * 2
    assert (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024 < 300 * 1024**2
