"""Make the audio of the demo calls from their reference texts.

    python demo/make_calls.py [--out DIR] [NAME …]

Every call of ``manifest.json`` that has a reference text ``calls/NAME.txt`` is spoken turn by turn by Debian's flite
(``apt install flite``, 2.2), mixed into two channels (0 = agent, 1 = customer) at 16 kHz and written as Ogg/Opus. The
broken recording of the manifest is made as well: a file that opens as Ogg/Opus and claims half a minute, with noise
where the sound was.

Voices: the agent is always ``rms``, the customer ``awb`` (a Scottish accent, so plainly another person). With the
general English model of pocketsphinx, on other dialogues than these, flite's voices at 16 kHz gave a word error rate
of 5.6 % (rms), 8.8 % (kal16), 8.9 % (awb) and 11.0 % (slt); ``kal`` speaks at 8 kHz and is refused. A call may name
other voices in the manifest. The sentences were chosen among those the model hears well, and there is no line noise:
real calls are recognised far worse.

The same flite, PyAV and numpy give the same bytes every time: pauses come from a generator seeded with the call's
name, and the container is written without random serial numbers.
"""

import argparse
import hashlib
import json
import shutil
import subprocess
import sys
import tempfile
import wave
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av
import numpy as np
import numpy.typing as npt

if __package__ in (None, ""):  # run as a script: make the checkout importable
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from demo.scoring import parse_turns

HERE = Path(__file__).resolve().parent
MANIFEST = HERE / "manifest.json"
CALLS = HERE / "calls"

SAMPLE_RATE = 16_000
BIT_RATE = 40_000
"""Bits per second of both channels together, as asked of the encoder; files come out at about 35 000."""
VOICES = ("rms", "awb")
LEAD_SECONDS = 0.4
PAUSE_SECONDS = (0.4, 0.8)
EDGE_SECONDS = 0.1
"""What is kept of flite's silence around a turn; it counts as part of the pause."""
SPEECH_RMS = 0.09
"""Root mean square of every turn, full scale = 1, so that no voice is louder than the other."""
BROKEN_NOISE_BYTES = 24_000
BROKEN_SECONDS = 30.3

Samples = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Overlap:
    """The turn (counted from 0) that begins before the one before it has ended, and by how many seconds."""

    turn: int
    seconds: float


@dataclass(frozen=True, slots=True)
class CallScript:
    """All that the audio of one call depends on."""

    name: str
    turns: list[tuple[int, str]]
    voices: tuple[str, str]
    overlap: Overlap | None


class MakeCallsError(RuntimeError):
    """The audio cannot be made; the message says what to do."""


def seeded(name: str) -> np.random.Generator:
    """Return a random generator that depends on ``name`` alone."""
    return np.random.default_rng(int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big"))


def read_script(entry: dict[str, Any], calls: Path = CALLS) -> CallScript:
    """Return the script of a manifest's call. Raises `OSError` or `ReferenceTextError` for its reference text."""
    speech = entry.get("speech", {})
    agent, customer = speech.get("voices", VOICES)
    overlap = Overlap(**speech["overlap"]) if "overlap" in speech else None
    turns = parse_turns((calls / entry["reference"]).read_text(encoding="utf-8"))
    return CallScript(entry["name"], turns, (agent, customer), overlap)


def speak(text: str, voice: str) -> Samples:
    """Return ``text`` spoken by flite's ``voice`` at 16 kHz mono, levelled. Raises `MakeCallsError` when it fails."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "turn.wav"
        done = subprocess.run(["flite", "-voice", voice, "-t", text, "-o", str(path)], capture_output=True, check=False)
        if done.returncode != 0 or not path.exists():
            raise MakeCallsError(
                f"flite could not speak with voice {voice}: {done.stderr.decode(errors='replace').strip()}"
            )
        with wave.open(str(path)) as spoken:
            if (spoken.getframerate(), spoken.getnchannels(), spoken.getsampwidth()) != (SAMPLE_RATE, 1, 2):
                raise MakeCallsError(f"voice {voice} does not speak at {SAMPLE_RATE} Hz, 16 bit, mono")
            pcm = np.frombuffer(spoken.readframes(spoken.getnframes()), dtype="<i2")
    samples: Samples = pcm.astype(np.float32) / np.float32(32768)
    loud = np.flatnonzero(np.abs(samples) > 0.005)
    if loud.size == 0:
        raise MakeCallsError(f"voice {voice} said nothing")
    # flite's own silence would add to the pauses, but the soft consonants at either end must stay.
    edge = int(EDGE_SECONDS * SAMPLE_RATE)
    samples = samples[max(0, loud[0] - edge) : loud[-1] + edge]
    gain = SPEECH_RMS / float(np.sqrt(np.mean(np.square(samples))))
    return samples * np.float32(gain)


def mix(script: CallScript) -> Samples:
    """Return the call as an array of shape (2, samples): turn after turn, each in its channel."""
    random = seeded(script.name)
    placed: list[tuple[int, int, Samples]] = []
    position = int(LEAD_SECONDS * SAMPLE_RATE)
    for number, (channel, text) in enumerate(script.turns):
        pause = random.uniform(*PAUSE_SECONDS) - 2 * EDGE_SECONDS
        if script.overlap is not None and script.overlap.turn == number:
            pause = -script.overlap.seconds - 2 * EDGE_SECONDS
        if number:
            position += int(pause * SAMPLE_RATE)
        spoken = speak(text, script.voices[channel])
        placed.append((channel, position, spoken))
        position += spoken.size
    length = position + int(LEAD_SECONDS * SAMPLE_RATE)
    call: Samples = np.zeros((2, length), dtype=np.float32)
    for channel, start, spoken in placed:
        call[channel, start : start + spoken.size] += spoken
    return call


def encode(call: Samples, path: Path) -> None:
    """Write the two channels as Ogg/Opus to ``path``, replacing what is there."""
    pcm = np.clip(np.rint(call * 32767), -32768, 32767).astype("<i2")
    with av.open(str(path), "w", format="ogg", container_options={"fflags": "+bitexact"}) as container:
        stream = container.add_stream(
            "libopus", rate=SAMPLE_RATE, options={"application": "voip", "flags": "+bitexact"}
        )
        stream.layout = "stereo"
        stream.bit_rate = BIT_RATE
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(pcm.T).reshape(1, -1), format="s16", layout="stereo")
        frame.sample_rate = SAMPLE_RATE
        frame.pts = 0
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


def write_broken(path: Path) -> None:
    """Write an Ogg/Opus file that opens and claims `BROKEN_SECONDS`, with noise between its headers and its last page.

    The last page holds what exceeds whole seconds, so less than one second can be decoded.
    """
    random = seeded(path.name)
    with tempfile.TemporaryDirectory() as folder:
        whole = Path(folder) / "whole.ogg"
        encode(random.normal(0.0, 0.05, size=(2, int(BROKEN_SECONDS * SAMPLE_RATE))).astype(np.float32), whole)
        data = whole.read_bytes()
    comments = data.index(b"OggS", 4)
    sound = data.index(b"OggS", comments + 4)
    path.write_bytes(data[:sound] + random.bytes(BROKEN_NOISE_BYTES) + data[data.rindex(b"OggS") :])


def make(out: Path, names: list[str]) -> int:
    """Make the calls called ``names`` (all when empty) in the folder ``out`` and return how many files were written."""
    entries = json.loads(MANIFEST.read_text(encoding="utf-8"))["calls"]
    unknown = set(names) - {entry["name"] for entry in entries}
    if unknown:
        raise MakeCallsError(f"not in the manifest: {', '.join(sorted(unknown))}")
    out.mkdir(parents=True, exist_ok=True)
    wanted = [entry for entry in entries if not names or entry["name"] in names]
    written = 0
    for entry in wanted:
        target = out / f"{entry['name']}.ogg"
        if entry["reference"] is not None:
            call = mix(read_script(entry))
            encode(call, target)
            seconds = call.shape[1] / SAMPLE_RATE
            print(f"{target.name}: {seconds:.1f} s, {target.stat().st_size:,} bytes")
            written += 1
        elif entry.get("broken"):
            write_broken(target)
            print(f"{target.name}: broken on purpose, {target.stat().st_size:,} bytes")
            written += 1
    return written


def main() -> int:
    """Command line; exit code 0 when every file was made, 1 when not."""
    parser = argparse.ArgumentParser(
        description="Make the audio of the demo calls from their reference texts (needs flite)."
    )
    parser.add_argument("--out", type=Path, default=CALLS, help="folder for the audio files (default: %(default)s)")
    parser.add_argument("names", nargs="*", metavar="NAME", help="only these calls")
    options = parser.parse_args()
    if shutil.which("flite") is None:
        print("flite is not installed: apt install flite", file=sys.stderr)
        return 1
    try:
        written = make(options.out, options.names)
    except (MakeCallsError, OSError, ValueError) as error:
        print(error, file=sys.stderr)
        return 1
    print(f"{written} files in {options.out}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
