"""Progress bars: of rendering (clips, frames per second, the time left), and of anything that is counted."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator


@contextlib.contextmanager
def counting_bar(console: object, what: str) -> Iterator[Callable[[int, int], None]]:
    """A bar that vanishes at the end, moved by calls of (done, total); only on a terminal."""
    from rich.progress import Progress

    with Progress(console=console, transient=True, disable=not console.is_terminal) as progress:
        bar = progress.add_task(what, total=None)
        yield lambda done, total: progress.update(bar, completed=done, total=total)


class ClipProgress:
    """A progress bar with clips, frames per second and the time left."""

    def __init__(self, console: object, frames_per_clip: int) -> None:
        from rich.progress import (
            BarColumn,
            MofNCompleteColumn,
            Progress,
            TextColumn,
            TimeElapsedColumn,
            TimeRemainingColumn,
        )

        self._frames_per_clip = frames_per_clip
        self._failed = 0
        self._progress = Progress(
            TextColumn("rendering"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("clips  {task.fields[rate]}  {task.fields[failed]}"),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(elapsed_when_finished=False, compact=True),
            console=console,
        )
        self._task = self._progress.add_task("", total=None, rate="", failed="")

    def __enter__(self) -> ClipProgress:
        self._progress.start()
        return self

    def __exit__(self, *_exception: object) -> None:
        self._progress.stop()

    def begin(self, num_clips: int) -> None:
        """Called once it is known how many clips are to be made."""
        self._progress.update(self._task, total=num_clips)

    def clip_ended(self, is_made: bool) -> None:
        """Called when a clip has been made or has failed."""
        self._failed += not is_made
        task = self._progress.tasks[0]
        made = int(task.completed) + 1 - self._failed
        rate = made * self._frames_per_clip / max(task.elapsed or 0.0, 1e-3)
        failed = f"{self._failed} failed" if self._failed else ""
        self._progress.update(self._task, advance=1, rate=f"{rate:.2f} frames/s", failed=failed)
