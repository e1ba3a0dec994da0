"""One recording's requests to a stand-in on a tape: what the engine really sends, so that a bare client can send the same."""

import base64
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
from aiohttp import web

# Said anew by whoever sends the request.
_HOP = {"host", "content-length", "transfer-encoding", "connection", "accept-encoding", "user-agent"}
LARGEST_BYTES = 64 * 1024 * 1024


@asynccontextmanager
async def taping(target: str) -> AsyncIterator[tuple[str, list[dict[str, Any]]]]:
    """An address that hands all on to ``target``, and the list of what went through: bodies in Base64, answers as text."""
    tape: list[dict[str, Any]] = []
    async with aiohttp.ClientSession(auto_decompress=True) as session:

        async def pass_on(request: web.Request) -> web.Response:
            body = await request.read()
            headers = {name.lower(): value for name, value in request.headers.items() if name.lower() not in _HOP}
            async with session.request(
                request.method, target + request.raw_path, headers=headers, data=body or None, allow_redirects=False
            ) as answer:
                content = await answer.read()
            tape.append(
                {
                    "method": request.method,
                    "path": request.raw_path,
                    "headers": headers,
                    "body": base64.b64encode(body).decode(),
                    "status": answer.status,
                    "answer": content.decode("utf-8", "replace").replace(own, target),
                }
            )
            kept = {n: v for n, v in answer.headers.items() if n.lower() in {"content-type", "location", "etag"}}
            kept |= {n: v for n, v in answer.headers.items() if n.lower() in {"last-modified", "retry-after"}}
            shown = content.replace(target.encode(), own.encode())
            return web.Response(status=answer.status, headers=kept, body=shown)

        app = web.Application(client_max_size=LARGEST_BYTES)
        app.router.add_route("*", "/{path:.*}", pass_on)
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        own = f"http://127.0.0.1:{runner.addresses[0][1]}"
        try:
            yield own, tape
        finally:
            await runner.cleanup()
