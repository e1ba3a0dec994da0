"""The picture of a recording: how loud each channel is over time, gathered while decoding."""

import numpy as np
import numpy.typing as npt

MAX_BUCKETS = 1000
_FULL_SCALE = 32768


class PeakMeter:
    """Collects the loudest sample of equal steps of time per channel, in bounded memory for any length.

    Whenever twice the wanted number of steps is full, neighbours are merged and the step doubles.
    """

    def __init__(self, channels: int, sample_rate: int) -> None:
        self._step = max(1, sample_rate // 100)
        self._peaks = np.zeros((channels, 2 * MAX_BUCKETS), dtype=np.int32)
        self._samples = 0

    def add(self, samples: npt.NDArray[np.int16]) -> None:
        """Take the next samples: an array of shape (channels, n)."""
        total = samples.shape[1]
        # int32, because the negative of -32768 does not fit in 16 bits.
        loudness = np.abs(samples.astype(np.int32))
        taken = 0
        while taken < total:
            if self._samples >= self._step * self._peaks.shape[1]:
                self._merge()
            bucket, inside = divmod(self._samples, self._step)
            count = min(self._step - inside, total - taken)
            peak = loudness[:, taken : taken + count].max(axis=1)
            np.maximum(self._peaks[:, bucket], peak, out=self._peaks[:, bucket])
            taken += count
            self._samples += count

    def result(self) -> list[list[int]]:
        """Return one list a channel: at most 1000 values of 0-100."""
        used = -(-self._samples // self._step)
        if used > MAX_BUCKETS:
            self._merge()
            used = -(-self._samples // self._step)
        percent = -(-self._peaks[:, :used] * 100 // _FULL_SCALE)
        return [[int(value) for value in channel] for channel in percent]

    def _merge(self) -> None:
        half = self._peaks.shape[1] // 2
        merged = np.maximum(self._peaks[:, 0::2], self._peaks[:, 1::2])
        self._peaks[:, :half] = merged
        self._peaks[:, half:] = 0
        self._step *= 2
