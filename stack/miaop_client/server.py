"""The server of the API: signing in, renewing, and requests that carry the token."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any, Self
from urllib.parse import quote

import httpx2

from stack.miaop_client.errors import NOT_REACHED, NOT_SIGNED_IN, REFUSED, ClientError, Refused
from stack.miaop_client.settings import Settings

CLIENT = "browser_client"
# A token is renewed this long before its end, so that it does not run out on the way.
MARGIN_S = 20.0
PATIENCE = httpx2.Timeout(60.0, connect=15.0, write=120.0)
# A large upload is answered only when all of it is stored.
UPLOAD_PATIENCE = httpx2.Timeout(600.0, connect=15.0)
BUSY = (429, 503)
MAX_TRIES = 6
LONGEST_PAUSE_S = 60.0


class Server:
    """One signed-in user of one tenant. A context manager; ``pause`` is how it waits when the server asks it to."""

    def __init__(self, settings: Settings, *, pause: Callable[[float], None] = time.sleep) -> None:
        self.settings = settings
        self._pause = pause
        # No redirects: one would drop the body of an upload, or hand the password to another server.
        self.http = httpx2.Client(verify=settings.trust(), timeout=PATIENCE, follow_redirects=False)
        self._tokens: dict[str, Any] = {}
        self._ends = 0.0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.http.close()

    def connect(self, path: str) -> str:
        """The address of an endpoint of the identity facade."""
        return (
            f"{self.settings.identity_url}/realms/{quote(self.settings.tenant, safe='')}/protocol/openid-connect/{path}"
        )

    def send(self, method: str, url: str, **options: Any) -> httpx2.Response:
        """One request as it is. Raises ClientError where the server cannot be reached."""
        try:
            return self.http.request(method, url, **options)
        except httpx2.TimeoutException as error:
            raise ClientError(f"{_host(url)} did not answer in time", exit_code=NOT_REACHED) from error
        except (httpx2.HTTPError, httpx2.InvalidURL) as error:
            raise ClientError(f"{_host(url)} cannot be reached: {error}", exit_code=NOT_REACHED) from error

    def sign_in(self) -> dict[str, Any]:
        """A new pair of tokens by password (E1). Raises ClientError."""
        settings = self.settings
        form = {"grant_type": "password", "username": settings.username, "password": settings.password}
        answer = self._patiently("POST", self.connect("token"), data={"client_id": CLIENT, **form})
        if answer.status_code != 200:
            message = f"the sign-in of {settings.username} at tenant {settings.tenant} was refused: {said(answer)}"
            raise ClientError(message, exit_code=NOT_SIGNED_IN)
        return self._keep(answer)

    def token(self) -> str:
        """An access token that is good for a while: the one there is, a renewed one, or one of a new sign-in."""
        if not self._tokens or time.monotonic() > self._ends - MARGIN_S:
            self.renew()
        return str(self._tokens["access_token"])

    def renew(self) -> None:
        """Renew by the refresh token, by password where there is none or it is not taken (A28)."""
        refresh, self._tokens = self._tokens.get("refresh_token"), {}
        if refresh:
            form = {"grant_type": "refresh_token", "client_id": CLIENT, "refresh_token": refresh}
            answer = self._patiently("POST", self.connect("token"), data=form)
            if answer.status_code == 200:
                self._keep(answer)
                return
        self.sign_in()

    def sign_out(self) -> None:
        """End the session, as far as the server can do that; quiet, for the work is done."""
        if self._tokens.get("refresh_token"):
            form = {"client_id": CLIENT, "refresh_token": self._tokens["refresh_token"]}
            self._tokens = {}
            try:
                self.send("POST", self.connect("logout"), data=form)
            except ClientError:
                return

    def call(self, method: str, path: str, **options: Any) -> httpx2.Response:
        """A request to the API with the token; a token that is not taken any more is renewed once (A28)."""
        answer = self._with_token(method, path, options)
        if answer.status_code == 401:
            self.renew()
            answer = self._with_token(method, path, options)
        return answer

    def json(self, method: str, path: str, **options: Any) -> Any:
        """The body of a success. Raises Refused with what the server said."""
        answer = self.call(method, path, **options)
        if answer.status_code != 200:
            raise Refused(f"{method} {path}: {said(answer)}", answer.status_code)
        return body_of(answer)

    def _with_token(self, method: str, path: str, options: Mapping[str, Any]) -> httpx2.Response:
        headers = {**options.get("headers", {}), "Authorization": f"Bearer {self.token()}"}
        return self._patiently(method, self.settings.api_url + path, **{**options, "headers": headers})

    def _patiently(self, method: str, url: str, **options: Any) -> httpx2.Response:
        """Asks again when the server says "later", as often as is decent."""
        for attempt in range(1, MAX_TRIES + 1):
            answer = self.send(method, url, **options)
            if answer.status_code not in BUSY or attempt == MAX_TRIES:
                break
            self._pause(_later(answer, attempt))
        return answer

    def _keep(self, answer: httpx2.Response) -> dict[str, Any]:
        body = body_of(answer)
        if not isinstance(body, dict) or not isinstance(body.get("access_token"), str):
            raise ClientError("the sign-in was answered without an access_token", exit_code=REFUSED)
        lifetime = body.get("expires_in")
        self._tokens = body
        self._ends = time.monotonic() + (lifetime if isinstance(lifetime, int | float) else 60)
        return body


def _later(answer: httpx2.Response, attempt: int) -> float:
    wanted = answer.headers.get("Retry-After", "")
    seconds = float(wanted) if wanted.isdigit() else 2.0**attempt
    return min(seconds, LONGEST_PAUSE_S)


def _host(url: str) -> str:
    return "/".join(url.split("/", 3)[:3])


def body_of(answer: httpx2.Response) -> Any:
    """The JSON of an answer. Raises ClientError."""
    try:
        return answer.json()
    except ValueError as error:
        raise ClientError("the server answered with something that is no JSON", exit_code=REFUSED) from error


def said(answer: httpx2.Response) -> str:
    """What an error answer says, in one line: those of the identity facade and of the API."""
    try:
        body = answer.json()
    except ValueError:
        return f"status {answer.status_code}"
    error = body.get("error") if isinstance(body, dict) else None
    if isinstance(error, dict):
        details = "; ".join(
            f"{item.get('path')} {item.get('message')}" for item in error.get("details", []) if isinstance(item, dict)
        )
        words = f"{error.get('code', '')}: {error.get('message', '')}" + (f" ({details})" if details else "")
    else:
        words = str((body.get("error_description") or error) if isinstance(body, dict) else "")
    return _printable(f"status {answer.status_code}, {words}"[:1000])


def _printable(text: str) -> str:
    """What comes from a server is shown on a terminal: nothing of it may steer that."""
    return "".join(each if each.isprintable() else " " for each in text)
