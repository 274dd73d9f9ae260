"""The time of a run: its speed, and how much of it went into waiting for batches."""

import contextlib
import time
from collections.abc import Iterator


class RunClock:
    """Speed of this process's run, and its share of the time that went into waiting for batches.

    before: seconds that earlier processes spent in the run's steps.
    """

    def __init__(self, batch_size: int, before: float = 0.0) -> None:
        self.steps, self._batch_size, self._before = 0, batch_size, before
        self._started, self._waited = time.perf_counter(), 0.0

    @contextlib.contextmanager
    def waiting(self) -> Iterator[None]:
        """Count the time of the block as waiting."""
        begun = time.perf_counter()
        yield
        self._waited += time.perf_counter() - begun

    @contextlib.contextmanager
    def stopped(self) -> Iterator[None]:
        """Leave the time of the block out of the run's."""
        begun = time.perf_counter()
        yield
        self._started += time.perf_counter() - begun

    def seconds(self) -> float:
        """Seconds in all steps of the run so far, validations left out."""
        return self._before + self._own_seconds()

    def samples_per_second(self) -> float:
        """Samples of all processes, since this process began."""
        return self.steps * self._batch_size / self._own_seconds()

    def metrics(self) -> dict[str, float]:
        """Values for the log."""
        return {
            "samples_per_second": round(self.samples_per_second(), 3),
            "data_wait_share": round(self._waited / self._own_seconds(), 4),
            "seconds": round(self.seconds(), 1),
        }

    def _own_seconds(self) -> float:
        return time.perf_counter() - self._started
