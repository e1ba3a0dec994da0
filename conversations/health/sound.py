"""Where a recording is loud and where there is nothing to hear, from its stored peaks. Pure functions, no Django."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

Bools = npt.NDArray[np.bool_]
Times = npt.NDArray[np.float64]

# Percent of full scale. The idle noise of a telephone line, as 8 bits write it, is below: nobody speaks so softly.
SILENT = 2
# Of what is nearly the loudest of the recording: softer sound is echo and noise, not somebody who talks.
LOUD_SHARE = 0.1
LOUDEST_PERCENTILE = 95
# By how many milliseconds engines are off with the times of words.
SLACK_MS = 300


class Sound:
    """The loudness of a recording over time: ``peaks`` are 0–100, one list of equal length a channel.

    ``hold`` are spans (start, end in milliseconds) of music and announcements, which do not count as loud.
    """

    def __init__(self, peaks: Sequence[Sequence[int]], duration_ms: int, hold: Sequence[tuple[int, int]] = ()) -> None:
        self.peaks = np.array([list(channel) for channel in peaks], dtype=np.int64)
        self.steps = self.peaks.shape[1] if self.peaks.ndim == 2 else 0
        self.known = self.steps > 0 and duration_ms > 0
        if not self.known:
            return
        self.step_ms = duration_ms / self.steps
        audible = self.peaks[self.peaks > SILENT]
        top = float(np.percentile(audible, LOUDEST_PERCENTILE)) if audible.size else 0.0
        outside = ~self._within(*_columns(hold), before=0, after=0)
        self.loud = (self.peaks > max(SILENT, top * LOUD_SHARE)) & outside

    @property
    def channels(self) -> int:
        """How many there are; 0 when nothing is known of the sound."""
        return len(self.peaks) if self.known else 0

    def loud_ms(self, channel: int | None = None) -> float:
        """For how long one channel is loud, or any of them."""
        loud = self.loud.any(axis=0) if channel is None else self.loud[channel]
        return float(np.count_nonzero(loud) * self.step_ms)

    def silent(self, starts: Times, ends: Times, channel: int | None = None) -> Bools:
        """For each span: whether there is nothing to hear in it and shortly around it, in a channel or in any."""
        peaks = self.peaks.max(axis=0) if channel is None else self.peaks[channel]
        heard = np.concatenate([[0], np.cumsum(peaks > SILENT)])
        first, last = self._reach(starts, ends, SLACK_MS, SLACK_MS)
        quiet: Bools = heard[last] == heard[first]
        return quiet

    def covered(self, starts: Times, ends: Times) -> float:
        """The share of the loud time, in any channel, that lies in or shortly around one of the spans. 1 without any."""
        loud = self.loud.any(axis=0)
        if not loud.any():
            return 1.0
        inside = self._within(starts, ends, before=SLACK_MS, after=SLACK_MS)
        return float(np.count_nonzero(loud & inside) / np.count_nonzero(loud))

    def _within(self, starts: Times, ends: Times, *, before: int, after: int) -> Bools:
        """The steps that one of the spans touches."""
        first, last = self._reach(starts, ends, before, after)
        change = np.zeros(self.steps + 1, dtype=np.int64)
        np.add.at(change, first, 1)
        np.add.at(change, last, -1)
        inside: Bools = np.cumsum(change)[:-1] > 0
        return inside

    def _reach(
        self, starts: Times, ends: Times, before: int, after: int
    ) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        first = np.floor((starts - before) / self.step_ms).clip(0, self.steps)
        last = np.ceil((ends + after) / self.step_ms).clip(0, self.steps)
        return first.astype(np.int64), np.maximum(first, last).astype(np.int64)


def _columns(spans: Sequence[tuple[int, int]]) -> tuple[Times, Times]:
    pairs = np.array(spans, dtype=np.float64).reshape(-1, 2)
    return pairs[:, 0], pairs[:, 1]
