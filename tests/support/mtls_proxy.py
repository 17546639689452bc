"""A proxy as the platform needs one for sites: TLS ends there, clients need certificates, which it hands on (RFC 9440)."""

import asyncio
import base64
import contextlib
import ssl
from contextlib import asynccontextmanager


@asynccontextmanager
async def serve_mtls(port, certificate, key, root):
    """Serve over TLS what a platform on a port of this machine serves; gives the address. Files in PEM."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=root)
    context.load_cert_chain(certificate, key)
    context.verify_mode = ssl.CERT_REQUIRED

    async def handle(reader, writer):
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            head = await reader.readuntil(b"\r\n\r\n")
            dropped = (b"client-cert:", b"connection:")
            lines = [line for line in head.split(b"\r\n") if line and not line.lower().startswith(dropped)]
            found = base64.b64encode(writer.get_extra_info("ssl_object").getpeercert(binary_form=True))
            lines += [b"Client-Cert: :" + found + b":", b"Connection: close", b"", b""]
            inside, outside = await asyncio.open_connection("127.0.0.1", port)
            outside.write(b"\r\n".join(lines))
            sending = asyncio.create_task(copy(reader, outside))
            await copy(inside, writer)
            sending.cancel()
            outside.close()
        writer.close()

    server = await asyncio.start_server(handle, "127.0.0.1", 0, ssl=context)
    async with server:
        yield f"https://localhost:{server.sockets[0].getsockname()[1]}"


async def copy(reader, writer):
    """Hand on what comes until it ends."""
    while data := await reader.read(65_536):
        writer.write(data)
        await writer.drain()
