"""A server that answers as the other installation would, over real HTTP; what goes wrong is said beforehand."""

import threading
import time
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import orjson

from core import signed_http as http
from tests.queues.replication.other import Other


@dataclass
class TheirServer:
    """``script`` holds what to do with the next requests: refuse CODE, drop, unsigned, reject, redirect; else take."""

    other: Other
    own_parties: http.Parties
    own_key: bytes
    script: list[str] = field(default_factory=list)
    taken: list[dict[str, Any]] = field(default_factory=list)
    asked: int = 0

    def __post_init__(self) -> None:
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                outer.answer(self)

            def log_message(self, *arguments: Any) -> None:
                """Quiet."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.thread = threading.Thread(target=self.server.serve_forever, daemon=True)
        self.thread.start()

    @property
    def port(self) -> int:
        return self.server.server_port

    def stop(self) -> None:
        self.server.shutdown()
        self.server.server_close()

    def answer(self, handler: BaseHTTPRequestHandler) -> None:
        self.asked += 1
        body = handler.rfile.read(int(handler.headers["Content-Length"]))
        question = http.Question("POST", handler.path, body)
        now = int(time.time())
        nonce = http.verify_request(handler.headers, question, self.own_parties.turned(), self.own_key, now=now)
        todo = self.script.pop(0) if self.script else "take"
        if todo in {"take", "drop", "unsigned"} and handler.path.endswith("queues"):
            self.taken.append(orjson.loads(body))
        status, said = 200, {"name": "Beta", "outcome": "applied", "reason": ""}
        if todo == "drop":
            handler.connection.close()
            return
        if todo == "reject":
            status, said = 422, {"name": "Beta", "field": "settings.scope", "message": "Not known."}
        if todo.startswith("refuse"):
            status, said = 401, {"error": todo.split()[1]}
        if todo == "conflict":
            said |= {"outcome": "conflict", "reason": "name"}
        answer = orjson.dumps(said)
        headers = http.sign_answer(self.other.key, question, status, answer, self.own_parties, now=now, nonce=nonce)
        if todo == "redirect":
            status, headers = 302, {"Location": "http://169.254.169.254/"}
        handler.send_response(status)
        for name, value in ({} if todo in {"unsigned"} or status == 401 else headers).items():
            handler.send_header(name, value)
        handler.send_header("Content-Length", str(len(answer)))
        handler.end_headers()
        handler.wfile.write(answer)
