"""The vendors' own clients against our stand-ins: what these take from us, the vendor's clients understand (ADR 0023).

The other types go through their vendor's client in the product itself; these three speak the wire without it.
"""

import asyncio
from pathlib import Path

import httpx
import pytest

from speechserver.tones import spoken, tone_wav
from tests.engines.standing_in import KEY, StandIn

# Of a library that Deepgram's client imports and does not use here.
pytestmark = pytest.mark.filterwarnings("ignore:websockets:DeprecationWarning")
AGENT, CUSTOMER = "Hello please hold the line.", "My bill is too high."


@pytest.fixture(scope="module")
def call(tmp_path_factory) -> Path:
    """A stereo recording of tone words."""
    path = tmp_path_factory.mktemp("calls") / "call.wav"
    words = [spoken(AGENT.lower().rstrip("."), 300), spoken(CUSTOMER.lower().rstrip("."), 3000)]
    path.write_bytes(tone_wav(words))
    return path


def by_deepgram(server: StandIn, key: str, call: Path) -> list[str]:
    """One request for both channels."""
    from deepgram import DeepgramClient, DeepgramClientEnvironment

    nowhere = "ws://127.0.0.1:1"
    place = DeepgramClientEnvironment(base=server.url, production=nowhere, agent=nowhere, agent_rest=server.url)
    wanted = {"model": "nova-3", "language": "en-US", "multichannel": True, "utterances": True, "punctuate": True}
    with httpx.Client() as http:
        client = DeepgramClient(api_key=key, environment=place, httpx_client=http)
        heard = client.listen.v1.media.transcribe_file(request=call.read_bytes(), **wanted)
    return [channel.alternatives[0].transcript for channel in heard.results.channels]


def by_assemblyai(server: StandIn, key: str, call: Path) -> list[str]:
    """An upload, a job, and questions until it has ended."""
    import assemblyai

    settings = assemblyai.Settings(api_key=key, base_url=server.url, polling_interval=0.1)
    client = assemblyai.Client(settings=settings)
    with client.http_client:
        config = assemblyai.TranscriptionConfig(multichannel=True, language_code="en_us", speech_models=["universal-2"])
        heard = assemblyai.Transcriber(client=client).transcribe(str(call), config)
    assert heard.error is None, heard.error
    return [turn.text for turn in heard.utterances]


def by_speechmatics(server: StandIn, key: str, call: Path) -> list[str]:
    """A job, and questions until it has ended."""
    from speechmatics.batch import AsyncClient, TranscriptionConfig

    async def work() -> list[str]:
        async with AsyncClient(api_key=key, url=f"{server.url}/v2") as client:
            config = TranscriptionConfig(language="en", diarization="channel")
            heard = await client.transcribe(str(call), transcription_config=config, polling_interval=0.1)
        said: dict[str, list[str]] = {}
        for result in heard.results:
            said.setdefault(result.channel, []).append(result.alternatives[0].content)
        return [" ".join(words).replace(" .", ".") for words in said.values()]

    return asyncio.run(work())


CLIENTS = {"deepgram": by_deepgram, "assemblyai": by_assemblyai, "speechmatics": by_speechmatics}


@pytest.mark.parametrize("name", CLIENTS)
def test_the_vendors_client_reads_the_words_of_each_channel_from_the_stand_in(name, call, request):
    server = request.getfixturevalue(f"{name}_server")
    assert CLIENTS[name](server, KEY, call) == [AGENT, CUSTOMER]


@pytest.mark.parametrize("name", CLIENTS)
def test_the_vendors_client_understands_that_the_key_is_wrong(name, call, request):
    server = request.getfixturevalue(f"{name}_server")
    refused = len(server.journal())
    with pytest.raises(Exception, match=r"401|[Uu]nauthor|[Ii]nvalid|[Aa]uth"):
        CLIENTS[name](server, "wrong", call)
    assert {entry["status"] for entry in server.journal()[refused:]} == {401}
