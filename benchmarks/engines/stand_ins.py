"""The engines that are measured: the stand-in of each, and settings that work with it."""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stack.environment import python_environment
from stack.paths import ROOT

KEY, BUCKET, STORAGE_KEY = "sk-benchmark", "calls-of-benchmarks", "YmVuY2htYXJrLXN0b3JhZ2Uta2V5"
REALM, USER = "demo", "integrator"
Said = Mapping[str, str]
Settings = Callable[[Said], dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Rival:
    """An engine type by one method. ``module`` is started with ``arguments`` and says where it listens (``Said``)."""

    name: str
    engine_type: str
    module: str
    arguments: tuple[str, ...]
    settings: Settings
    secrets: Callable[[Said], dict[str, str]] = lambda said: {"api_key": KEY}
    # Whether a tape of its requests can be played again: names that a signature covers cannot be changed.
    taped: bool = True


def _google(version: str, model: str, bucket: str) -> Settings:
    kept = {"api_version": version, "model": model, "bucket": bucket}
    return lambda said: {"endpoint": said["url"], "storage_endpoint": said["url"], **kept}


def _google_key(said: Said) -> dict[str, str]:
    return {"credentials": Path(said["key_file"]).read_text()}


def _azure_batch(said: Said) -> dict[str, Any]:
    storage = {"storage_account": "devstoreaccount1", "storage_container": BUCKET}
    place = {"endpoint": said["url"], "storage_endpoint": f"{said['url']}/devstoreaccount1"}
    return {"method": "batch", **storage, **place}


_KEYED = ("--key", KEY)
_AZURE = (*_KEYED, "--storage-key", STORAGE_KEY, "--container", BUCKET)
_GOOGLE = ("--bucket", BUCKET)
RIVALS = [
    Rival(
        "native_v2",
        "native_v2",
        "speechserver",
        ("--recogniser", "tones"),
        lambda said: {"server_address": said["url"]},
        lambda said: {"token": KEY},
    ),
    Rival(
        "miaop",
        "miaop",
        "emulators.miaop",
        ("--password", KEY),
        lambda said: {"identity_address": said["url"], "api_address": said["url"], "realm": REALM, "username": USER},
        lambda said: {"password": KEY},
    ),
    Rival("openai", "openai", "emulators.openai", _KEYED, lambda said: {"base_url": f"{said['url']}/v1"}),
    Rival("deepgram", "deepgram", "emulators.deepgram", _KEYED, lambda said: {"address": said["url"]}),
    Rival("assemblyai", "assemblyai", "emulators.assemblyai", _KEYED, lambda said: {"address": said["url"]}),
    Rival("speechmatics", "speechmatics", "emulators.speechmatics", _KEYED, lambda said: {"address": said["url"]}),
    Rival("google, bucket", "google", "emulators.google", _GOOGLE, _google("v2", "long", BUCKET), _google_key),
    Rival("google, pieces", "google", "emulators.google", (), _google("v1p1beta1", "phone_call", ""), _google_key),
    Rival("azure, fast", "azure", "emulators.azure", _AZURE, lambda said: {"endpoint": said["url"]}),
    Rival(
        "azure, batch",
        "azure",
        "emulators.azure",
        _AZURE,
        _azure_batch,
        lambda said: {"api_key": KEY, "storage_key": STORAGE_KEY},
        taped=False,
    ),
]


@contextmanager
def running(rival: Rival, folder: Path) -> Iterator[Said]:
    """Its stand-in, until the end of the block."""
    arguments = [*rival.arguments, "--data", str(folder / "data")]
    if rival.module == "speechserver":
        (folder / "tokens").write_text(KEY + "\n")
        arguments += ["--port", "0", "--control-port", "0", "--token-file", str(folder / "tokens")]
    with (folder / "log").open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", rival.module, *arguments],
            cwd=ROOT,
            env=python_environment(),
            stdout=subprocess.PIPE,
            stderr=log,
        )
    try:
        assert process.stdout is not None
        said: dict[str, str] = json.loads(process.stdout.readline())
        yield said
    finally:
        process.terminate()
        process.wait(20)
        assert process.stdout is not None
        process.stdout.close()
