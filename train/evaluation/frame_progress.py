"""A bar that counts frames of tasks, also of those that run in other processes of this machine.

A task tells of its frames by `frames_done`. In another process its count goes into a small file that the bar looks at;
on another machine nobody hears it, and the bar moves when the task ends.
"""

from __future__ import annotations

import contextlib
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextvars import ContextVar
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from rich.console import Console

LOOK_SECONDS = 0.5

_ON_FRAMES: ContextVar[Callable[[int], None] | None] = ContextVar("on_frames", default=None)


class Counted(Protocol):
    """What the bar knows of a task."""

    name: str
    num_frames: int


def frames_done(num_frames: int) -> None:
    """Tell the bar that the task that runs here has done so many more frames; without a bar it does nothing."""
    report = _ON_FRAMES.get()
    if report is not None:
        report(num_frames)


@contextlib.contextmanager
def counting_into(path: Path | None) -> Iterator[None]:
    """Write the frames of the task that runs inside to a file, now and then; None leaves everything as it is."""
    if path is None:
        yield
        return
    count, written = 0, time.monotonic()

    def add(num_frames: int) -> None:
        nonlocal count, written
        count += num_frames
        if time.monotonic() - written >= LOOK_SECONDS:
            # Only the bar is at stake: a full disk or a folder that is gone must not stop a task.
            with contextlib.suppress(OSError):
                path.write_text(str(count))
            written = time.monotonic()

    token = _ON_FRAMES.set(add)
    try:
        yield
    finally:
        _ON_FRAMES.reset(token)


class FrameBar:
    """Shows ended tasks and the part that is done of running ones; `folder` holds the counts of other processes."""

    def __init__(
        self, total: int, folder: Path | None = None, show: Callable[[int, str], None] = lambda completed, name: None
    ) -> None:
        self.folder = folder
        self._total, self._show, self._name = total, show, ""
        self._ended = self._told = 0

    def frames_done(self, num_frames: int) -> None:
        """Frames of the task that runs in this process."""
        self._told += num_frames
        self.look()

    def task_ended(self, number: int, task: Counted) -> None:
        """All frames of a task count from now on, told or not."""
        if self.folder is not None:
            (self.folder / str(number)).unlink(missing_ok=True)
        self._told, self._name = 0, task.name
        self._ended += task.num_frames
        self.look()

    def look(self) -> None:
        """Draw what is known now."""
        running = self._told
        for path in [] if self.folder is None else self.folder.iterdir():
            # Read while it is written or taken away, a count is left out once.
            with contextlib.suppress(OSError, ValueError):
                running += int(path.read_text())
        self._show(min(self._ended + running, self._total), self._name)


@contextlib.contextmanager
def frame_bar(
    doing: str, tasks: Sequence[Counted], console: Console | None, other_processes: bool = False
) -> Iterator[FrameBar]:
    """A bar for the tasks while they run; without a console it is not drawn."""
    total = sum(task.num_frames for task in tasks)
    if console is None:
        yield FrameBar(total)
        return
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("frames {task.fields[rate]}"),
        TimeRemainingColumn(),
        TextColumn("{task.fields[last]}", markup=False),
    )
    started = time.monotonic()
    with contextlib.ExitStack() as stack:
        folder = (
            Path(stack.enter_context(tempfile.TemporaryDirectory(ignore_cleanup_errors=True)))
            if other_processes
            else None
        )
        progress = stack.enter_context(Progress(*columns, console=console))
        row = progress.add_task(doing, total=total, rate="", last="")

        def show(completed: int, name: str) -> None:
            rate = f"{completed / max(time.monotonic() - started, 1e-6):.1f}/s"
            progress.update(row, completed=completed, rate=rate, last=name)

        bar = FrameBar(total, folder, show)
        if folder is None:
            token = _ON_FRAMES.set(bar.frames_done)
            stack.callback(_ON_FRAMES.reset, token)
        else:
            stack.enter_context(_looking_at(bar))
        yield bar


@contextlib.contextmanager
def _looking_at(bar: FrameBar) -> Iterator[None]:
    """Look at a bar's files again and again in a thread of its own."""
    ended = threading.Event()

    def look() -> None:
        while not ended.wait(LOOK_SECONDS):
            bar.look()

    thread = threading.Thread(target=look, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
