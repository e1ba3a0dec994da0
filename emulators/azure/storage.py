"""Blobs of one account: what a hand-over needs, judged by shared key and by shared access signature (providers §2.5)."""

import base64
import hashlib
import hmac
import re
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from aiohttp import web

ACCOUNT = "devstoreaccount1"
SIGNED = (
    "Content-Encoding",
    "Content-Language",
    "Content-Length",
    "Content-MD5",
    "Content-Type",
    "Date",
    "If-Modified-Since",
    "If-Match",
    "If-None-Match",
    "If-Unmodified-Since",
    "Range",
)
STATUSES = {
    "AuthenticationFailed": 403,
    "ContainerNotFound": 404,
    "BlobNotFound": 404,
    "InvalidHeaderValue": 400,
    "InvalidBlockList": 400,
}


class StorageRefused(Exception):
    """A request that storage answers with an error."""

    def response(self) -> web.Response:
        """As XML, with the code as a header."""
        code = str(self)
        body = f'<?xml version="1.0" encoding="utf-8"?><Error><Code>{code}</Code><Message>{code}</Message></Error>'
        headers = {"x-ms-error-code": code}
        return web.Response(status=STATUSES[code], text=body, content_type="application/xml", headers=headers)


class Storage:
    """Containers that exist, and blobs by container and name, in memory."""

    def __init__(self, key: str, containers: set[str]) -> None:
        self._key, self.containers = base64.b64decode(key), containers
        self.blobs: dict[tuple[str, str], bytes] = {}
        self._blocks: dict[tuple[str, str], dict[str, bytes]] = {}

    def routes(self, app: web.Application) -> None:
        """Add the routes."""
        app.router.add_get(f"/{ACCOUNT}/{{container}}", self._container)
        app.router.add_put(f"/{ACCOUNT}/{{container}}/{{name:.+}}", self._put)
        app.router.add_delete(f"/{ACCOUNT}/{{container}}/{{name:.+}}", self._delete)

    def owns(self, address: str) -> bool:
        """Whether the address is one of this account's."""
        return urlsplit(address).path.startswith(f"/{ACCOUNT}/")

    def read(self, address: str) -> bytes | None:
        """The blob of an address with a signature that lets it be read; else None."""
        parts = urlsplit(address)
        found = re.fullmatch(rf"/{ACCOUNT}/([^/]+)/(.+)", unquote(parts.path))
        given = {name: values[0] for name, values in parse_qs(parts.query).items()}
        if found is None or given.get("sr") != "b" or "r" not in given.get("sp", ""):
            return None
        if given.get("se", "") < datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"):
            return None
        resource = f"/blob/{ACCOUNT}/{found[1]}/{found[2]}"
        before, after = ("sp", "st", "se"), ("si", "sip", "spr", "sv", "sr", "snapshot", "ses")
        contents = ("rscc", "rscd", "rsce", "rscl", "rsct")
        told = [*(given.get(name, "") for name in before), resource]
        told += [given.get(name, "") for name in (*after, *contents)]
        if not hmac.compare_digest(self._signature("\n".join(told)), given.get("sig", "")):
            return None
        return self.blobs.get((found[1], found[2]))

    def _signature(self, text: str) -> str:
        return base64.b64encode(hmac.digest(self._key, text.encode(), hashlib.sha256)).decode()

    def _admitted(self, request: web.Request) -> str:
        headers = [request.headers.get(name, "") for name in SIGNED]
        if headers[2] == "0":
            headers[2] = ""
        own = sorted((name.lower(), value) for name, value in request.headers.items() if name.lower()[:5] == "x-ms-")
        query = sorted((name.lower(), value) for name, value in request.query.items())
        told = "\n".join([request.method, *headers]) + "\n"
        told += "".join(f"{name}:{value}\n" for name, value in own)
        told += f"/{ACCOUNT}{request.rel_url.raw_path}" + "".join(f"\n{name}:{value}" for name, value in query)
        given = request.headers.get("Authorization", "").encode("utf-8", "surrogateescape")
        if not hmac.compare_digest(given, f"SharedKey {ACCOUNT}:{self._signature(told)}".encode()):
            raise StorageRefused("AuthenticationFailed")
        if request.match_info["container"] not in self.containers:
            raise StorageRefused("ContainerNotFound")
        return request.match_info["container"]

    async def _container(self, request: web.Request) -> web.Response:
        self._admitted(request)
        return web.Response(headers={"ETag": '"0x1"', "Last-Modified": "Sun, 22 Nov 2026 00:00:00 GMT"})

    async def _put(self, request: web.Request) -> web.Response:
        place = (self._admitted(request), request.match_info["name"])
        content, kind = await request.read(), request.query.get("comp", "")
        if kind == "block":
            self._blocks.setdefault(place, {})[request.query["blockid"]] = content
        elif kind == "blocklist":
            blocks, named = self._blocks.pop(place, {}), re.findall(r"<Latest>([^<]+)</Latest>", content.decode())
            if set(named) - set(blocks):
                raise StorageRefused("InvalidBlockList")
            self.blobs[place] = b"".join(blocks[name] for name in named)
        elif request.headers.get("x-ms-blob-type") != "BlockBlob":
            raise StorageRefused("InvalidHeaderValue")
        else:
            self.blobs[place] = content
        request["entry"].update(blob=place[1], bytes=len(content))
        headers: dict[str, Any] = {"ETag": '"0x1"', "Last-Modified": "Sun, 22 Nov 2026 00:00:00 GMT"}
        return web.Response(status=201, headers=headers)

    async def _delete(self, request: web.Request) -> web.Response:
        if self.blobs.pop((self._admitted(request), request.match_info["name"]), None) is None:
            raise StorageRefused("BlobNotFound")
        return web.Response(status=202)
