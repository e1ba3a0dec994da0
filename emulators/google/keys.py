"""A service account of one's own: its key file for clients, and the judgement of the tokens that it signs."""

import json
import secrets
from pathlib import Path
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

PROJECT = "test-project"
EMAIL = f"speech@{PROJECT}.iam.gserviceaccount.com"
AUDIENCE = "https://speech.googleapis.com/"
TOKEN_ADDRESS = "https://oauth2.googleapis.com/token"  # noqa: S105


class Account:
    """One account; ``key_file`` is what Google would give its owner. One that is there already goes on being it."""

    def __init__(self, folder: Path) -> None:
        self.key_file = folder / "key.json"
        if self.key_file.exists():
            known = json.loads(self.key_file.read_text())["private_key"]
            self._public: Any = load_pem_private_key(known.encode(), password=None).public_key()
            return
        private = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        self._public = private.public_key()
        pem = private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
        key = {
            "type": "service_account",
            "project_id": PROJECT,
            "private_key_id": secrets.token_hex(20),
            "private_key": pem,
            "client_email": EMAIL,
            "client_id": "100000000000000000000",
            "auth_uri": "https://accounts.google.com/o/oauth2/auth",
            "token_uri": TOKEN_ADDRESS,
            "universe_domain": "googleapis.com",
        }
        self.key_file.touch(mode=0o600)
        self.key_file.write_text(json.dumps(key))

    def accepts(self, header: str, *, storage: bool) -> bool:
        """A token that the account signed itself: for the service's audience, or for a scope of storage."""
        scheme, _, token = header.partition(" ")
        if scheme != "Bearer":
            return False
        try:
            claims: dict[str, Any] = jwt.decode(
                token,
                self._public,
                algorithms=["RS256"],
                options={"verify_aud": False, "require": ["iss", "sub", "iat", "exp"]},
            )
        except jwt.InvalidTokenError:
            return False
        if claims["iss"] != EMAIL or claims["sub"] != EMAIL:
            return False
        return "devstorage" in str(claims.get("scope", "")) if storage else claims.get("aud") == AUDIENCE
