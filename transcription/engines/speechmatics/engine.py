"""Adapter for the batch API of Speechmatics, version 2: upload, poll, transcript, deletion."""

from collections.abc import Collection, Mapping
from typing import Any

import aiohttp
import orjson

from core.outbound import OutboundPolicy, Response
from core.outcomes import EngineError, ErrorClass
from core.transcripts import TranscriptData
from transcription.engines.base import AudioSource, Done, Failed, Pending, Remote, Request, SpeechEngine, runs_again
from transcription.engines.rest import OverRest, Rest, parse
from transcription.engines.speechmatics.answers import LABELS, Created, Job, JobAnswer, JobList, Transcript
from transcription.engines.speechmatics.languages import AUTO, LANGUAGES, code_of, locale_of
from transcription.engines.speechmatics.options import SpeechmaticsOptions
from transcription.engines.tags import Detection
from transcription.engines.wire import pieces

JOBS = "/v2/jobs"
PAGE_JOBS = 100
# More pages are not read: as many jobs as an account may have at a time.
MOST_PAGES = 200
# A transcript has some 200 bytes a word; lists repeat the settings of each job.
MAX_ANSWER_BYTES = 64 * 1024 * 1024
# The service forgets jobs after seven days, and says so for a while.
EXPIRED = 410


class SpeechmaticsEngine(OverRest, SpeechEngine):
    """One engine. Our reference is kept by the service as ``tracking.reference``."""

    label = "Speechmatics"
    options_type = SpeechmaticsOptions
    languages = LANGUAGES
    # How many languages a list may have is told nowhere.
    detects = Detection(openly=True, most=10)
    options: SpeechmaticsOptions

    def __init__(self, options: SpeechmaticsOptions, policy: OutboundPolicy) -> None:
        super().__init__(options, policy)
        key = options.api_key.get_secret_value().strip() if options.api_key else ""
        self._cloud = options.deployment == "cloud"
        # Only the cloud knows ``wait``, and there a question about a job is held back without it.
        self._at_once = {"wait": "0"} if self._cloud else {}
        self._rest = Rest(
            policy,
            base=options.address,
            headers={"Authorization": f"Bearer {key}"} if key else {},
            secrets=[key],
            verify_tls=options.ssl_verify,
            timeout_s=options.request_timeout_s,
            reader=_problem,
        )

    @classmethod
    def detection(cls, options: SpeechmaticsOptions) -> Detection | None:
        """A pack for everything leaves nothing to find out."""
        return None if options.language_pack else cls.detects

    async def greet(self) -> str:
        """Ask for the newest job: the key counts for that, and nothing is charged."""
        jobs = await self._page({"limit": "1"})
        return "The server answers." if jobs is None else "The server answers and lists its jobs."

    async def submit(self, audio: AudioSource, request: Request) -> Remote:
        """Upload, unless a job under the reference is there: the service itself takes any reference twice."""
        known = await self._search({request.reference}, all_of_each=False)
        if known:
            return known[request.reference][0]
        form = aiohttp.FormData()
        config = orjson.dumps(self._config(audio, request)).decode()
        form.add_field("config", config, content_type="application/json")
        form.add_field("data_file", pieces(audio), filename=audio.name, content_type=audio.mime)
        response = await self._rest.call("POST", JOBS, data=form)
        return Remote(parse(Created, response.body).id)

    def _config(self, audio: AudioSource, request: Request) -> dict[str, Any]:
        options = self.options
        asked: dict[str, Any] = {"language": options.language_pack or code_of(request.language)}
        # Servers on premises may be older than the name that the cloud has for it now.
        asked["model" if self._cloud else "operating_point"] = options.model
        locale = None if options.language_pack else locale_of(request.language)
        if locale:
            asked["output_locale"] = locale
        if options.domain:
            asked["domain"] = options.domain
        if not options.punctuate:
            asked["punctuation_overrides"] = {"permitted_marks": []}
        if audio.channels > 1:
            asked |= {"diarization": "channel", "channel_diarization_labels": list(LABELS)}
        else:
            asked["diarization"] = "speaker" if options.diarize else "none"
        config = {"type": "transcription", "transcription_config": asked, "tracking": {"reference": request.reference}}
        if asked["language"] == AUTO and request.candidates:
            expected = list(dict.fromkeys(code_of(tag) for tag in request.candidates))
            config["language_identification_config"] = {"expected_languages": expected}
        return config

    async def poll(self, remote: Remote) -> Pending | Done | Failed:
        """Ask once."""
        job = parse(JobAnswer, (await self._of(remote)).body).job
        if job.id != remote.external_id:
            raise _of_another()
        if job.status in ("deleted", "expired"):
            raise _gone()
        if job.status == "rejected":
            return Failed(self._rejected(job))
        return Done() if job.status == "done" else Pending()

    def _rejected(self, job: Job) -> EngineError:
        said = " ".join(problem.message for problem in job.errors or [] if problem.message)
        return EngineError(ErrorClass.INPUT, self._rest.shown(said) or "The job was rejected.", code="rejected")

    async def fetch(self, remote: Remote) -> TranscriptData:
        """The transcript. While the job is there, one that is not is a moment's matter: nothing is lost."""
        try:
            response = await self._of(remote, "/transcript", format="json-v2")
        except EngineError as error:
            if error.error_class != ErrorClass.LOST or isinstance(await self.poll(remote), Failed):
                raise
            raise runs_again() from error
        transcript = parse(Transcript, response.body)
        if transcript.job.id != remote.external_id:
            raise _of_another()
        return transcript.as_data()

    async def _of(self, remote: Remote, part: str = "", **query: str) -> Response:
        """A question about one job. One that the service has no more is lost."""
        response = await self._rest.call(
            "GET",
            f"{JOBS}/{remote.external_id}{part}",
            missing=ErrorClass.LOST,
            accept={EXPIRED},
            params={**query, **self._at_once},
            max_body_bytes=MAX_ANSWER_BYTES,
        )
        if response.status == EXPIRED:
            raise _gone()
        return response

    async def find(self, references: Collection[str]) -> dict[str, list[Remote]]:
        """All jobs under these references. None from a server on premises that has no list."""
        return await self._search(set(references), all_of_each=True)

    async def _search(self, references: set[str], *, all_of_each: bool) -> dict[str, list[Remote]]:
        """Newest jobs first, page by page; to the end, or until there is one under each reference."""
        found: dict[str, list[Remote]] = {}
        query, seen = {"limit": str(PAGE_JOBS)}, set[str]()
        for _page in range(MOST_PAGES):
            jobs = await self._page(query)
            fresh = [job for job in jobs or [] if job.id not in seen]
            seen |= {job.id for job in fresh}
            for job in fresh:
                if job.reference in references and job.status not in ("deleted", "expired"):
                    found.setdefault(job.reference, []).append(Remote(job.id))
            enough = len(found) == len(references) and not all_of_each
            if enough or len(fresh) < PAGE_JOBS or not fresh[-1].created_at:
                break
            query["created_before"] = fresh[-1].created_at
        return found

    async def _page(self, query: Mapping[str, str]) -> list[Job] | None:
        """One page of the list; None from a server on premises that only knows single jobs."""
        accept = set() if self._cloud else {404, 405}
        response = await self._rest.call("GET", JOBS, accept=accept, params=dict(query))
        return None if response.status in accept else parse(JobList, response.body).jobs

    async def cleanup(self, remote: Remote) -> None:
        """Delete the job with its audio and its transcript, running or not."""
        path = f"{JOBS}/{remote.external_id}"
        await self._rest.call("DELETE", path, accept={404, EXPIRED}, params={"force": "true"})


def _problem(problem: Mapping[str, Any]) -> tuple[Any, Any]:
    return problem.get("error"), problem.get("detail")


def _gone() -> EngineError:
    return EngineError(ErrorClass.LOST, "The server has this job no more.", code="gone")


def _of_another() -> EngineError:
    return EngineError(ErrorClass.OUTPUT, "The server's answer is about another job.", code="invalid_answer")
