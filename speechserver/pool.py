"""Worker child processes: orders go to a free child; a child that dies or hangs is replaced, the server lives."""

import asyncio
import contextlib
import os
import sys
from collections.abc import Callable
from typing import Any

import orjson

LINE_LIMIT = 256 * 1024 * 1024
START_SECONDS = 60.0
# More threads than one would fight over few cores, and each reserves memory against the child's limit.
CHILD_ENVIRONMENT = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}


class WorkerCrashed(Exception):
    """The child died, hung beyond its time, or said nonsense."""


class WorkerTimeout(WorkerCrashed):
    """The child was killed because it took longer than the order allowed."""


class OrderRefused(Exception):
    """The child answered with an error of the audio, not of itself."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


class _Child:
    """One child process and the pipe to it."""

    def __init__(self, command: list[str]) -> None:
        self._command = command
        self._process: asyncio.subprocess.Process | None = None
        self._killed: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        """Start the process unless it runs, and wait until its model is loaded."""
        if self._process is not None and self._process.returncode is None:
            return
        self._process = await asyncio.create_subprocess_exec(
            *self._command,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            limit=LINE_LIMIT,
            env={**os.environ, **CHILD_ENVIRONMENT},
        )
        try:
            await asyncio.wait_for(self._answer(lambda _: None), START_SECONDS)
        except TimeoutError:
            self.kill()
            raise WorkerTimeout("the worker did not start in time") from None
        except BaseException:
            self.kill()
            raise

    async def obey(self, order: dict[str, Any], seconds: float, progress: Callable[[float], None]) -> Any:
        """Give an order and wait for its answer; the child does not outlive a timeout, a crash or a cancellation."""
        await self.start()
        assert self._process is not None
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(orjson.dumps(order) + b"\n")
            return await asyncio.wait_for(self._answer(progress), seconds)
        except OrderRefused:
            raise
        except TimeoutError:
            self.kill()
            raise WorkerTimeout("the worker took too long") from None
        except BaseException:
            self.kill()
            raise

    async def _answer(self, progress: Callable[[float], None]) -> Any:
        assert self._process is not None
        assert self._process.stdout is not None
        while True:
            try:
                line = await self._process.stdout.readline()
                message = orjson.loads(line)
            except (ValueError, OSError):
                raise WorkerCrashed("the worker ended unexpectedly") from None
            if "progress" in message:
                progress(message["progress"])
            elif "error" in message:
                raise OrderRefused(message["error"]["code"], message["error"]["message"])
            else:
                return message["ok"]

    def kill(self) -> None:
        """End the process at once; it has nothing to save."""
        process, self._process = self._process, None
        if process is not None and process.returncode is None:
            self._killed = process
            with contextlib.suppress(ProcessLookupError):
                process.kill()

    async def gone(self) -> None:
        """Wait until a killed process is reaped."""
        if self._killed is not None:
            await self._killed.wait()


class Pool:
    """A fixed number of children with one recogniser; orders wait in line, first come, first served."""

    def __init__(self, *, recogniser: str, model_path: str, size: int) -> None:
        command = [sys.executable, "-m", "speechserver.worker", recogniser, model_path, str(os.getpid())]
        self._children = [_Child(command) for _ in range(size)]
        self._free: asyncio.LifoQueue[_Child] = asyncio.LifoQueue()
        for child in self._children:
            self._free.put_nowait(child)
        self.crashes = 0

    async def warm(self) -> None:
        """Start all children. Raises ``WorkerCrashed`` when one does not come up."""
        await asyncio.gather(*(child.start() for child in self._children))

    async def run(
        self, order: dict[str, Any], *, seconds: float, progress: Callable[[float], None] = lambda _: None
    ) -> Any:
        """The answer to one order. ``seconds`` is wall-clock time, counted from when a child takes the order.

        Raises ``OrderRefused`` for bad audio; ``WorkerCrashed`` when a second child died of it too; ``WorkerTimeout``.
        """
        try:
            return await self._once(order, seconds, progress)
        except WorkerTimeout:
            raise
        except WorkerCrashed:
            return await self._once(order, seconds, progress)

    async def _once(self, order: dict[str, Any], seconds: float, progress: Callable[[float], None]) -> Any:
        child = await self._free.get()
        try:
            answer = await child.obey(order, seconds, progress)
        except WorkerCrashed:
            self.crashes += 1
            raise
        else:
            self.crashes = 0
            return answer
        finally:
            self._free.put_nowait(child)

    async def close(self) -> None:
        """Kill every child and wait until they are gone."""
        for child in self._children:
            child.kill()
        await asyncio.gather(*(child.gone() for child in self._children))
