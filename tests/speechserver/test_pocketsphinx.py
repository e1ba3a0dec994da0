"""The bundled recogniser on real synthetic speech: whole way through the server, both channels apart."""

import io
import shutil
import subprocess
import wave
from pathlib import Path

import numpy as np
import pytest

from tests.speechserver.conftest import Server, texts

pytestmark = pytest.mark.skipif(shutil.which("flite") is None, reason="flite is not installed, no speech to recognise")


def say(voice: str, text: str, folder: Path) -> np.ndarray:
    """Speech of one voice as 16 kHz samples."""
    subprocess.run(["flite", "-voice", voice, "-t", text, "-o", str(folder / "say.wav")], check=True, timeout=30)
    with wave.open(str(folder / "say.wav")) as file:
        assert file.getframerate() == 16000
        return np.frombuffer(file.readframes(file.getnframes()), dtype="<i2")


def test_a_short_call_of_two_speakers_is_understood(make_server, tmp_path: Path) -> None:
    agent = say("rms", "good morning how can i help you", tmp_path)
    customer = say("awb", "please send the money to my bank account", tmp_path)
    begin = 8000 + len(agent) + 4000
    audio = np.zeros((begin + len(customer) + 8000, 2), dtype="<i2")
    audio[8000 : 8000 + len(agent), 0] = agent
    audio[begin : begin + len(customer), 1] = customer
    target = io.BytesIO()
    with wave.open(target, "wb") as file:
        file.setnchannels(2)
        file.setsampwidth(2)
        file.setframerate(16000)
        file.writeframes(audio.tobytes())

    server: Server = make_server("--recogniser", "pocketsphinx")
    info = server.call("GET", "/v2/info").json
    assert info["features"]["confidence"] is False
    assert "evaluation only" in info["label"]
    result = server.result(server.submit(target.getvalue(), {"language": "en-US"}))
    assert texts(result["segments"], 0).startswith("Good morning how can I help you")
    assert "money to my bank account." in texts(result["segments"], 1)
    words = [word for segment in result["segments"] for word in segment["words"]]
    assert all(word["confidence"] is None and "(" not in word["text"] for word in words)
    second = next(segment for segment in result["segments"] if segment["channel"] == 1)
    assert abs(second["startMs"] - begin / 16) < 350
