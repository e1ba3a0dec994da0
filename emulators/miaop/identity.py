"""Sign-in as Keycloak's clients know it: password and refresh grants, opaque tokens, rotation with reuse detection."""

import hmac
import secrets
import time
from dataclasses import dataclass, field

from aiohttp import web

CLIENT = "browser_client"


@dataclass
class Session:
    """One sign-in: its refresh token and when its access tokens end (monotonic clock)."""

    refresh: str = ""
    access: dict[str, float] = field(default_factory=dict)


class Identity:
    """One realm with one user."""

    def __init__(self, realm: str, user: str, password: str, access_s: float) -> None:
        self.realm, self.user, self.password, self.access_s = realm, user, password, access_s
        self.sessions: list[Session] = []
        self.spent: dict[str, Session] = {}

    def granted(self, token: str) -> bool:
        """Whether an access token is valid now."""
        return any(session.access.get(token, 0.0) > time.monotonic() for session in self.sessions)

    async def answer(self, request: web.Request) -> web.Response:
        """``POST …/token``."""
        if request.match_info["realm"] != self.realm:
            return web.json_response({"error": "Realm does not exist"}, status=404)
        form = await request.post()
        if str(form.get("client_id", "")).lower() != CLIENT:
            return _refused(401, "invalid_client", "Invalid client or Invalid client credentials")
        if form.get("grant_type") == "refresh_token":
            return self._refreshed(str(form.get("refresh_token", "")))
        if form.get("grant_type") != "password":
            return _refused(400, "unsupported_grant_type", "Unsupported grant_type")
        right = hmac.compare_digest(str(form.get("password", "")).encode(), self.password.encode())
        if form.get("username") != self.user or not right:
            return _refused(401, "invalid_grant", "Invalid user credentials")
        session = Session()
        self.sessions.append(session)
        return self._issued(session)

    def _refreshed(self, token: str) -> web.Response:
        reused = self.spent.get(token)
        if reused is not None:
            self.sessions = [session for session in self.sessions if session is not reused]
        session = next((each for each in self.sessions if token and each.refresh == token), None)
        if session is None:
            return _refused(400, "invalid_grant", "Invalid refresh token")
        self.spent[token] = session
        return self._issued(session)

    def _issued(self, session: Session) -> web.Response:
        access, session.refresh = secrets.token_urlsafe(24), secrets.token_urlsafe(24)
        session.access[access] = time.monotonic() + self.access_s
        body = {
            "access_token": access,
            "expires_in": int(self.access_s),
            "refresh_expires_in": 1800,
            "refresh_token": session.refresh,
            "token_type": "Bearer",
            "not-before-policy": 0,
            "scope": "profile email",
        }
        return web.json_response(body, headers={"Cache-Control": "no-store", "Pragma": "no-cache"})


def _refused(status: int, error: str, description: str) -> web.Response:
    return web.json_response({"error": error, "error_description": description}, status=status)
