"""How a run looks while it runs: a progress bar on a terminal, now and then a line elsewhere."""

import contextlib
import time
from collections.abc import Callable, Iterator

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from .loop import LoopReport

SECONDS_BETWEEN_LINES = 30.0
SMOOTHING = 0.95


@contextlib.contextmanager
def show_progress(console: Console, num_steps: int) -> Iterator[Callable[[LoopReport], None]]:
    """Give a function that shows finished steps: loss and IoU (smoothed), samples a second, time left."""
    smooth: dict[str, float] = {}

    def text(report: LoopReport) -> str:
        for name in ("loss", "iou"):
            value = getattr(report, name)
            smooth[name] = SMOOTHING * smooth.get(name, value) + (1 - SMOOTHING) * value
        return f"loss {smooth['loss']:.3f}  IoU {smooth['iou']:.3f}  {report.samples_per_second:.1f} samples/s"

    if not console.is_terminal:
        began = last = time.monotonic()
        first_step: int | None = None

        def line(report: LoopReport) -> None:
            nonlocal last, first_step
            first_step = report.step - 1 if first_step is None else first_step
            shown, now = text(report), time.monotonic()
            if now - last >= SECONDS_BETWEEN_LINES or report.step == num_steps:
                last = now
                left = (now - began) / (report.step - first_step) * (num_steps - report.step)
                message = f"step {report.step}/{num_steps}  {shown}  {left / 60:.1f} minutes left"
                console.print(message, highlight=False, soft_wrap=True)

        yield line
        return
    columns = (TextColumn("step"), MofNCompleteColumn(), BarColumn(), TextColumn("{task.fields[numbers]}"))
    with Progress(*columns, TimeElapsedColumn(), TimeRemainingColumn(), console=console) as progress:
        task = progress.add_task("train", total=num_steps, numbers="")
        yield lambda report: progress.update(task, completed=report.step, numbers=text(report))
