"""Client of the offline-task API: one task of one file for each conversation (Meeting Insights On-Prem guide, 3.4–3.8)."""

import json
import re
from collections.abc import Collection
from datetime import UTC, datetime
from typing import Any, TypeVar
from urllib.parse import quote

import aiohttp
import orjson
from pydantic import BaseModel, ValidationError

from core.outbound import OutboundPolicy, Response, guarded_session
from core.outcomes import EngineError, ErrorClass
from core.transcripts import TranscriptData
from transcription.engines.base import AudioSource, Done, Failed, Pending, Remote, Request, SpeechEngine
from transcription.engines.miaop.answers import (
    CHANNELS,
    Meeting,
    Submitted,
    Task,
    meeting_failure,
    read_result,
    to_transcript,
)
from transcription.engines.miaop.options import OfflineTaskOptions
from transcription.engines.miaop.tokens import SignIn
from transcription.engines.wire import exchange, pieces, retry_after

Answer = TypeVar("Answer", bound=BaseModel)
MAX_RESULT_BYTES = 64 * 1024 * 1024
OUR_IDS = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,127}\Z")
# A wait that the server names may be a rough guess: a longer one is looked after sooner, in seconds.
LONGEST_WAIT_S = 900.0
# Contract section 7: tag by tag, then by the language alone.
NAMES = {
    "en": "English",
    "he": "Hebrew",
    "ar": "Arabic",
    "es": "Spanish",
    "fr": "French",
    "de": "German",
    "it": "Italian",
    "pt": "Portuguese",
    "ru": "Russian",
    "nl": "Dutch",
    "pl": "Polish",
    "tr": "Turkish",
    "hi": "Hindi",
    "ja": "Japanese",
    "ko": "Korean",
    "zh": "Chinese",
}
CLASSES = {
    400: ErrorClass.INPUT,
    401: ErrorClass.CONFIG,
    403: ErrorClass.CONFIG,
    408: ErrorClass.TRANSIENT,
    409: ErrorClass.INPUT,
    413: ErrorClass.INPUT,
    415: ErrorClass.INPUT,
    429: ErrorClass.RATE,
}


class OfflineTaskEngine(SpeechEngine):
    """Signs in, submits, polls and fetches over one keep-alive session."""

    label = "Meeting Insights On-Prem"
    options_type = OfflineTaskOptions
    options: OfflineTaskOptions

    def __init__(self, options: OfflineTaskOptions, policy: OutboundPolicy) -> None:
        super().__init__(options, policy)
        self._session: aiohttp.ClientSession | None = None
        self._sign_in: SignIn | None = None

    async def open(self) -> None:
        """Make the guarded session; nobody signs in before the first request."""
        self._session = guarded_session(
            self.policy,
            verify_tls=self.options.ssl_verify,
            total_timeout_s=self.options.request_timeout_s,
            user_agent="Parlance",
        )
        self._sign_in = SignIn(self.options, self._session)

    async def close(self) -> None:
        """Close the session. The sign-in is kept for the next one."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def submit(self, audio: AudioSource, request: Request) -> Remote:
        """Upload under our reference as task id, unless the server has a task of that id already.

        What a server does with an id that it knows is its own affair: so it is asked before the audio is sent.
        """
        if await self._task(request.reference) is not None:
            return Remote(external_id=request.reference)
        task = json.dumps(self._members(audio, request), ensure_ascii=False)

        def form() -> aiohttp.FormData:
            made = aiohttp.FormData()
            made.add_field("task", task, content_type="application/json")
            made.add_field("soundBlob", pieces(audio), filename=audio.name, content_type=audio.mime)
            return made

        response = await self._call("POST", "/hrec", form=form)
        return Remote(external_id=_parse(Submitted, response).taskId)

    async def poll(self, remote: Remote) -> Pending | Done | Failed:
        """GET the task once; a task in processing says how long it takes. What was archived is done with: lost."""
        task = await self._living(remote)
        if task.taskStatus == "sttDone":
            return Done()
        if task.taskStatus == "error":
            return Failed(await self._why(remote))
        hint = task.sttRemainingTime if task.taskStatus == "sttProcessing" else None
        return Pending(check_after_s=min(hint, LONGEST_WAIT_S) if hint and hint > 0 else None)

    async def fetch(self, remote: Remote) -> TranscriptData:
        """GET the transcript of the first meeting and validate every field of it."""
        task = await self._living(remote)
        path = f"/api/stt/1.{quote(remote.external_id)}/0"
        response = await self._call("GET", path, missing=ErrorClass.LOST, max_body_bytes=MAX_RESULT_BYTES)
        try:
            return to_transcript(read_result(response.body), task.channels)
        except ValueError as error:
            raise _not_ours() from error

    async def find(self, references: Collection[str]) -> dict[str, list[Remote]]:
        """GET the task of each reference; one that was archived is cleaned up already."""
        found: dict[str, list[Remote]] = {}
        for reference in references:
            task = await self._task(reference) if OUR_IDS.match(reference) else None
            if task is not None and not task.archive:
                found[reference] = [Remote(external_id=reference)]
        return found

    async def cleanup(self, remote: Remote) -> None:
        """Archive the task. The guide knows no deletion, and nothing better than this of servers that archive by age."""
        await self._call("POST", f"/api/tasks/{quote(remote.external_id)}/archive", accept=frozenset({404, 405}))

    async def greet(self) -> str:
        """Sign in."""
        assert self._sign_in is not None, "open() comes first"
        await self._sign_in.token()
        return f"{self.options.username} @ {self.options.realm}"

    def _members(self, audio: AudioSource, request: Request) -> dict[str, Any]:
        name = self.options.base_language or _name_of(request.language)
        return {
            "taskId": request.reference,
            "tenant": self.options.realm,
            "taskName": request.reference,
            "taskType": "offline",
            "taskStatus": "sttPending",
            "taskCreationTime": datetime.now(UTC).isoformat(timespec="seconds"),
            "baseLanguages": [name],
            "genericAdditionalInfo": json.dumps({CHANNELS: audio.channels}),
            "meetings": [{"files": [{"file": audio.name, "baseLanguage": name}], "aiGenerationMode": "none"}],
            "supervisor": {"name": "", "email": self.options.supervisor_email},
        }

    async def _task(self, task_id: str) -> Task | None:
        response = await self._call("GET", f"/api/tasks/{quote(task_id)}", accept=frozenset({404}))
        if response.status == 404:
            return None
        task = _parse(Task, response)
        if task.taskId != task_id:
            raise EngineError(ErrorClass.OUTPUT, "The server answered for another task.", code="foreign_id")
        return task

    async def _living(self, remote: Remote) -> Task:
        task = await self._task(remote.external_id)
        if task is None or task.archive:
            raise EngineError(ErrorClass.LOST, "The server does not have the task any more.", code="gone")
        return task

    async def _why(self, remote: Remote) -> EngineError:
        response = await self._call("GET", f"/api/meetings/1.{quote(remote.external_id)}", accept=frozenset({404}))
        if response.status == 404:
            return meeting_failure(None)
        failure = meeting_failure(_parse(Meeting, response).metadata.errorInfo)
        failure.message = self._masked(failure.message)
        return failure

    async def _call(
        self,
        method: str,
        path: str,
        *,
        accept: Collection[int] = frozenset(),
        missing: ErrorClass = ErrorClass.CONFIG,
        form: Any = None,
        **options: Any,
    ) -> Response:
        """Send one request as the user; with a new token once more when the server refuses the one at hand.

        ``accept``: statuses that are answers here beside 2xx. ``missing`` is what a 404 means otherwise. ``form`` makes
        the body, which can be read once.
        """
        assert self._session is not None, "open() comes first"
        assert self._sign_in is not None, "open() comes first"
        url = self.options.api_address + path
        for attempt in (1, 2):
            token = await self._sign_in.token()
            body = {} if form is None else {"data": form()}
            headers = {"Authorization": f"Bearer {token}"}
            response = await exchange(self._session, method, url, headers=headers, **body, **options)
            if response.status != 401 or attempt == 2:
                break
            self._sign_in.forget(token)
        if response.status // 100 == 2 or response.status in accept:
            return response
        raise self._refusal(response, missing, token)

    def _refusal(self, response: Response, missing: ErrorClass, token: str) -> EngineError:
        """The server's own words with what is secret masked; the class by status and, of a transcript, by code."""
        status, hint = response.status, retry_after(response)
        otherwise = ErrorClass.TRANSIENT if status >= 500 else ErrorClass.CONFIG
        error_class = missing if status == 404 else CLASSES.get(status, otherwise)
        code, detail = "", ""
        try:
            problem = orjson.loads(response.body)["error"]
            code, detail = str(problem.get("code", "")), str(problem.get("message", ""))
        except (orjson.JSONDecodeError, AttributeError, KeyError, TypeError):
            detail = ""
        if status == 404 and code == "TRANSCRIPTION_NOT_READY":
            error_class = ErrorClass.TRANSIENT
        elif status == 404 and code == "TRANSCRIPTION_FAILED":
            error_class = ErrorClass.INPUT
        code, detail = (self._masked(text).replace(token, "••••") for text in (code, detail))
        return EngineError(
            error_class, f"HTTP {status} {code} {detail}".strip(), code=code or str(status), retry_after=hint
        )

    def _masked(self, text: str) -> str:
        password = self.options.password.get_secret_value() if self.options.password else ""
        return text.replace(password, "••••") if password else text


def _name_of(tag: str) -> str:
    """The guide's name of a language; a tag that has none goes as it is, for the server to judge."""
    return NAMES.get(tag.partition("-")[0].lower(), tag)


def _parse(model: type[Answer], response: Response) -> Answer:
    try:
        return model.model_validate_json(response.body)
    except ValidationError as error:
        raise _not_ours() from error


def _not_ours() -> EngineError:
    message = "The server's answer does not follow the offline-task API."
    return EngineError(ErrorClass.OUTPUT, message, code="invalid_answer")
