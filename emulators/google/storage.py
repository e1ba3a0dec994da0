"""Buckets and objects: the few calls that a hand-over needs (providers §1.5)."""

import base64
import json
import re
from typing import Any

import google_crc32c
from aiohttp import web

from emulators.google.problems import Refused

BOUNDARY = re.compile(r"boundary=\"?([^\";]+)")
RANGE = re.compile(r"bytes (?:(\d+)-(\d+)|\*)/(\d+|\*)")


class Storage:
    """Objects by bucket and name, in memory; ``buckets`` are those that exist."""

    def __init__(self, buckets: set[str]) -> None:
        self.buckets = buckets
        self.objects: dict[tuple[str, str], bytes] = {}
        self._sessions: dict[str, tuple[str, str, bytearray]] = {}

    def routes(self, app: web.Application) -> None:
        """Add the routes."""
        app.router.add_get("/storage/v1/b/{bucket}", self._bucket)
        app.router.add_post("/upload/storage/v1/b/{bucket}/o", self._upload)
        app.router.add_put("/upload/storage/v1/b/{bucket}/o", self._chunk)
        app.router.add_delete("/storage/v1/b/{bucket}/o/{name:.+}", self._delete)

    def read(self, uri: str) -> bytes:
        """The object of a ``gs://`` address. Raises Refused."""
        bucket, _, name = uri.removeprefix("gs://").partition("/")
        if (bucket, name) not in self.objects:
            raise Refused("NOT_FOUND", f"Requested entity was not found. Object {uri} does not exist.")
        return self.objects[bucket, name]

    def _known(self, request: web.Request) -> str:
        bucket = request.match_info["bucket"]
        if bucket not in self.buckets:
            raise Refused("NOT_FOUND", "The specified bucket does not exist.")
        return bucket

    async def _bucket(self, request: web.Request) -> web.Response:
        return web.json_response({"kind": "storage#bucket", "name": self._known(request)})

    async def _upload(self, request: web.Request) -> web.Response:
        bucket = self._known(request)
        if request.query.get("uploadType") == "resumable":
            name = (await request.json())["name"]
            session = f"s{len(self._sessions)}"
            self._sessions[session] = (bucket, name, bytearray())
            address = request.url.with_query(uploadType="resumable", upload_id=session)
            return web.Response(headers={"Location": str(address)})
        head, content = _parts(request.headers["Content-Type"], await request.read())
        return self._stored(request, bucket, head["name"], content)

    async def _chunk(self, request: web.Request) -> web.Response:
        bucket, name, received = self._sessions[request.query["upload_id"]]
        received += await request.read()
        found = RANGE.fullmatch(request.headers.get("Content-Range", ""))
        if found is None or found[3] == "*" or len(received) < int(found[3]):
            return web.Response(status=308, headers={"Range": f"bytes=0-{len(received) - 1}"})
        return self._stored(request, bucket, name, bytes(received))

    def _stored(self, request: web.Request, bucket: str, name: str, content: bytes) -> web.Response:
        self.objects[bucket, name] = content
        request["entry"].update(object=name, bytes=len(content))
        digest = base64.b64encode(google_crc32c.Checksum(content).digest()).decode()
        facts = {"kind": "storage#object", "bucket": bucket, "name": name, "generation": "1", "size": str(len(content))}
        return web.json_response({**facts, "crc32c": digest})

    async def _delete(self, request: web.Request) -> web.Response:
        if self.objects.pop((self._known(request), request.match_info["name"]), None) is None:
            raise Refused("NOT_FOUND", "No such object.")
        return web.Response(status=204)


def _parts(content_type: str, body: bytes) -> tuple[dict[str, Any], bytes]:
    """The two parts of a multipart/related upload."""
    found = BOUNDARY.search(content_type)
    if found is None:
        raise Refused("INVALID_ARGUMENT", "The upload is not multipart.")
    _before, first, second, _after = body.split(b"--" + found[1].encode())
    head = first.partition(b"\r\n\r\n")[2]
    content = second.partition(b"\r\n\r\n")[2].removesuffix(b"\r\n")
    return json.loads(head), content
