"""Access tokens of a realm: one sign-in serves many requests and passes; kept in memory, never anywhere else."""

import asyncio
import hashlib
import time
from collections import OrderedDict
from dataclasses import dataclass

import aiohttp
from pydantic import ValidationError

from core.outbound import Response
from core.outcomes import EngineError, ErrorClass
from transcription.engines.miaop.answers import Tokens
from transcription.engines.miaop.options import OfflineTaskOptions
from transcription.engines.wire import exchange, retry_after

MOST_KEPT = 100
# Seconds before its end from which a token is not used any more: a request takes its time to arrive.
MARGIN_S = 10.0


@dataclass(frozen=True, slots=True)
class Kept:
    """The tokens of one sign-in; ``ends_at`` by the monotonic clock."""

    access: str
    refresh: str
    ends_at: float


_kept: OrderedDict[tuple[str, ...], Kept] = OrderedDict()


class SignIn:
    """Gives the access token of one user, in one event loop."""

    def __init__(self, options: OfflineTaskOptions, session: aiohttp.ClientSession) -> None:
        self._options, self._session = options, session
        password = options.password.get_secret_value() if options.password else ""
        digest = hashlib.sha256(password.encode()).hexdigest()
        self._key = (options.identity_address, options.realm, options.client_id, options.username, digest)
        self._one_at_a_time = asyncio.Lock()

    async def token(self) -> str:
        """A token that is not about to expire. Raises EngineError: CONFIG when the server refuses the user."""
        async with self._one_at_a_time:
            kept = _kept.get(self._key)
            if kept is None or time.monotonic() >= kept.ends_at:
                kept = await self._renewed(kept)
                _kept[self._key] = kept
                _kept.move_to_end(self._key)
                while len(_kept) > MOST_KEPT:
                    _kept.popitem(last=False)
            return kept.access

    def forget(self, access: str) -> None:
        """The server refused this token; a newer one that another request fetched meanwhile stays."""
        kept = _kept.get(self._key)
        if kept is not None and kept.access == access:
            del _kept[self._key]

    async def _renewed(self, kept: Kept | None) -> Kept:
        if kept is not None and kept.refresh:
            response = await self._ask({"grant_type": "refresh_token", "refresh_token": kept.refresh})
            if response.status == 200:
                return self._read(response)
        password = self._options.password.get_secret_value() if self._options.password else ""
        response = await self._ask({"grant_type": "password", "username": self._options.username, "password": password})
        if response.status != 200:
            raise _refused(response)
        return self._read(response)

    async def _ask(self, form: dict[str, str]) -> Response:
        url = f"{self._options.identity_address}/realms/{self._options.realm}/protocol/openid-connect/token"
        return await exchange(self._session, "POST", url, data={"client_id": self._options.client_id, **form})

    @staticmethod
    def _read(response: Response) -> Kept:
        try:
            tokens = Tokens.model_validate_json(response.body)
        except ValidationError as error:
            message = "The token address does not answer as an identity server does."
            raise EngineError(ErrorClass.OUTPUT, message, code="invalid_answer") from error
        return Kept(tokens.access_token, tokens.refresh_token, time.monotonic() + tokens.expires_in - MARGIN_S)


def _refused(response: Response) -> EngineError:
    """Nothing of the body is quoted: it may repeat what was sent."""
    status = response.status
    if status == 429:
        hint = retry_after(response)
        return EngineError(ErrorClass.RATE, "HTTP 429 at the token address", code="429", retry_after=hint)
    if status >= 500:
        return EngineError(ErrorClass.TRANSIENT, f"HTTP {status} at the token address", code=str(status))
    words = {400: "user or password", 401: "user or password", 403: "tenant", 404: "tenant or address"}
    why = f": check {words[status]}" if status in words else ""
    return EngineError(ErrorClass.CONFIG, f"HTTP {status} at the token address{why}.", code="sign_in")
