"""A local OpenID Connect provider over real HTTP: discovery, keys, authorization code with PKCE, ID tokens.

It does what it should; ``Issuer.spoil`` makes the next ID token wrong in one way.
"""

import base64
import hashlib
import hmac
import json
import secrets
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

CLIENT_ID, CLIENT_SECRET = "parlance", "secret-canary-0123456789"


class Issuer:
    """Serves on 127.0.0.1 until :meth:`close`."""

    def __init__(self) -> None:
        self.key, self.kid = rsa.generate_private_key(public_exponent=65537, key_size=2048), "key-1"
        self.claims: dict[str, Any] = {"sub": "subject-1", "preferred_username": "ada"}
        self.spoil: dict[str, Any] = {}
        self.codes: dict[str, dict[str, str]] = {}
        self.asked: list[str] = []
        issuer = self

        class Handler(BaseHTTPRequestHandler):
            def log_message(self, *arguments: Any) -> None:
                """Silent."""

            def do_GET(self) -> None:
                issuer._get(self)

            def do_POST(self) -> None:
                issuer._post(self)

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = self.server.server_port
        self.url = f"http://127.0.0.1:{self.port}/realm"
        self.thread = threading.Thread(target=self.server.serve_forever, daemon=True)
        self.thread.start()

    def close(self) -> None:
        """Stop serving."""
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()

    def authorize(self, address: str, **changes: str) -> dict[str, str]:
        """What the person's browser does there: sign in, come back with these parameters."""
        query = {name: values[0] for name, values in parse_qs(urlsplit(address).query).items()}
        assert query["response_type"] == "code"
        assert query["code_challenge_method"] == "S256"
        assert "openid" in query["scope"].split()
        code = secrets.token_urlsafe(16)
        self.codes[code] = query
        return {"code": code, "state": query["state"], **changes}

    def token(self, query: dict[str, str]) -> str:
        """An ID token for the request that led to the code."""
        if "raw" in self.spoil:
            return str(self.spoil["raw"])
        now = int(time.time())
        claims = {
            "iss": self.url,
            "aud": CLIENT_ID,
            "iat": now,
            "exp": now + 300,
            "nonce": query["nonce"],
            **self.claims,
            **self.spoil.get("claims", {}),
        }
        claims = {name: value for name, value in claims.items() if value is not None}
        headers = {"kid": self.spoil.get("kid", self.kid)}
        algorithm = self.spoil.get("algorithm", "RS256")
        key: Any = self.spoil.get("key", self.key)
        if algorithm == "none":
            parts = [{"alg": "none", **headers}, claims]
            return ".".join([*(_part(part) for part in parts), ""])
        return jwt.encode(claims, key, algorithm=algorithm, headers=headers)

    def jwk(self) -> dict[str, Any]:
        """The public key."""
        found = jwt.algorithms.RSAAlgorithm.to_jwk(self.key.public_key(), as_dict=True)
        return {**found, "kid": self.kid, "use": "sig", "alg": "RS256"}

    def _get(self, handler: BaseHTTPRequestHandler) -> None:
        self.asked.append(handler.path)
        pages: dict[str, Callable[[], dict[str, Any]]] = {
            "/realm/.well-known/openid-configuration": lambda: {
                "issuer": self.spoil.get("issuer", self.url),
                "authorization_endpoint": f"{self.url}/authorize",
                "token_endpoint": f"{self.url}/token",
                "jwks_uri": f"{self.url}/keys",
                **self.spoil.get("discovery", {}),
            },
            "/realm/keys": lambda: {"keys": [self.jwk()]},
        }
        page = pages.get(handler.path)
        _answer(handler, 200 if page else 404, page() if page else {})

    def _post(self, handler: BaseHTTPRequestHandler) -> None:
        self.asked.append(handler.path)
        body = handler.rfile.read(int(handler.headers["Content-Length"])).decode()
        form = {name: values[0] for name, values in parse_qs(body).items()}
        sent = base64.b64decode(handler.headers.get("Authorization", "").removeprefix("Basic ")).decode()
        query = self.codes.pop(form.get("code", ""), None)
        challenge = hashlib.sha256(form.get("code_verifier", "").encode()).digest()
        proved = query and base64.urlsafe_b64encode(challenge).rstrip(b"=").decode() == query["code_challenge"]
        if [unquote(part) for part in sent.split(":")] != [CLIENT_ID, CLIENT_SECRET]:
            _answer(handler, 401, {"error": "invalid_client"})
        elif not query or not proved or form.get("redirect_uri") != query["redirect_uri"]:
            _answer(handler, 400, {"error": "invalid_grant"})
        else:
            _answer(handler, 200, {"token_type": "Bearer", "access_token": "x", "id_token": self.token(query)})


def _answer(handler: BaseHTTPRequestHandler, status: int, body: dict[str, Any]) -> None:
    data = json.dumps(body).encode()
    handler.send_response(status)
    handler.send_header("Content-Type", "application/json")
    handler.send_header("Content-Length", str(len(data)))
    handler.end_headers()
    handler.wfile.write(data)


def signed(
    issuer: Issuer, key: Any = None, algorithm: str = "RS256", kid: str = "key-1", header: Any = None, **changes: Any
) -> str:
    """An access token of the issuer for five minutes; a claim of None is left out."""
    now = int(time.time())
    claims = {
        "iss": issuer.url,
        "exp": now + 300,
        "iat": now,
        "typ": "Bearer",
        "azp": "browser_client",
        "aud": "account",
        "sub": "subject-1",
        "preferred_username": "ada",
        **changes,
    }
    claims = {name: value for name, value in claims.items() if value is not None}
    return jwt.encode(claims, key or issuer.key, algorithm=algorithm, headers={"kid": kid, **(header or {})})


def unsigned(token: str) -> str:
    """The same claims with the algorithm "none"."""
    return f"{_part({'alg': 'none', 'kid': 'key-1'})}.{token.split('.')[1]}."


def signed_with_the_public_key(issuer: Issuer, token: str) -> str:
    """The same claims under HS256, whose secret is what everybody knows."""
    spki = serialization.PublicFormat.SubjectPublicKeyInfo
    pem = issuer.key.public_key().public_bytes(serialization.Encoding.PEM, spki)
    head = f"{_part({'alg': 'HS256', 'kid': 'key-1'})}.{token.split('.')[1]}"
    mark = base64.urlsafe_b64encode(hmac.digest(pem, head.encode(), "sha256")).rstrip(b"=").decode()
    return f"{head}.{mark}"


def _part(value: dict[str, Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()
