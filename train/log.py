"""What a run writes for people: JSONL metrics, TensorBoard, pictures of predictions."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from ..datagen.storage.files import atomic_write


class MetricWindow:
    """Sums of metrics since the last log line; part of the checkpoint, so that a resumed run logs the same means."""

    def __init__(self, state: Mapping[str, Any] | None = None) -> None:
        self.count = int(state["count"]) if state else 0
        self.sums: dict[str, float] = dict(state["sums"]) if state else {}

    def add(self, metrics: Mapping[str, float]) -> None:
        """Count one step's metrics."""
        self.count += 1
        for name, value in metrics.items():
            self.sums[name] = self.sums.get(name, 0.0) + value

    def means(self) -> dict[str, float]:
        """Mean of each metric over the window."""
        return {name: total / self.count for name, total in self.sums.items()}

    def clear(self) -> None:
        """Begin a new window."""
        self.count, self.sums = 0, {}

    def state(self) -> dict[str, Any]:
        """Plain data for the checkpoint."""
        return {"count": self.count, "sums": dict(self.sums)}


class MetricsLog:
    """RUN/metrics.jsonl, one line a record, and RUN/tensorboard where tensorboard is installed.

    `step` in a record counts finished steps. Opening drops records beyond `start_step` and a torn last line: after a
    kill the steps since the last checkpoint run again, and no step stands there twice.
    """

    def __init__(self, folder: Path, start_step: int) -> None:
        self.folder, self.path = folder, folder / "metrics.jsonl"
        kept = [record for record in read_metrics(self.path) if record["step"] <= start_step]
        atomic_write(self.path, "".join(json.dumps(record) + "\n" for record in kept).encode())
        self._file = self.path.open("a")
        self.note: str | None = None
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError:
            self._tensorboard = None
            self.note = "tensorboard is not installed: metrics go to metrics.jsonl only"
        else:
            self._tensorboard = SummaryWriter(str(folder / "tensorboard"), purge_step=start_step + 1)

    def write(self, step: int, metrics: Mapping[str, float], prefix: str = "train") -> None:
        """Append one record and flush it."""
        self._file.write(json.dumps({"step": step, **metrics}) + "\n")
        self._file.flush()
        if self._tensorboard is not None:
            for name, value in metrics.items():
                # TensorBoard would replace an & by an underscore, with a note for each tag.
                tag = name.removeprefix(f"{prefix}_").replace("&", "_and_")
                self._tensorboard.add_scalar(f"{prefix}/{tag}", value, step)

    def write_pictures(self, step: int, pictures: Mapping[str, np.ndarray]) -> None:
        """Write pictures of a validation, uint8 (H, W, 3), as validation/<name>/step-<step>.png and to TensorBoard."""
        for name, picture in pictures.items():
            write_picture(self.folder / "validation" / name / picture_name(step), picture)
            self._show(f"validation/{name}", picture, step)

    def write_training_picture(self, step: int, picture: np.ndarray) -> None:
        """Write a picture of the step's own batch, uint8 (H, W, 3), as pictures/step-<step>.png and to TensorBoard."""
        write_picture(self.folder / "pictures" / picture_name(step), picture)
        self._show("train/predictions", picture, step)

    def _show(self, tag: str, picture: np.ndarray, step: int) -> None:
        if self._tensorboard is not None:
            self._tensorboard.add_image(tag, picture, step, dataformats="HWC")

    def close(self) -> None:
        """Close both outputs."""
        self._file.close()
        if self._tensorboard is not None:
            self._tensorboard.close()


def picture_name(step: int) -> str:
    """File name of a picture taken after `step` finished steps; names sort as the steps do."""
    return f"step-{step:08d}.png"


def read_metrics(path: Path) -> list[dict[str, Any]]:
    """Records of a metrics.jsonl, in order; a torn last line (killed while writing) is left out, no file gives none.

    ValueError names the first line that is damaged.
    """
    records, damaged = readable_metrics(path)
    for number, reason in damaged.items():
        raise ValueError(
            f"{path} is damaged in line {number} ({reason}); remove that line: it is a log, and no run needs it"
        )
    return records


def readable_metrics(path: Path) -> tuple[list[dict[str, Any]], dict[int, str]]:
    """The records as `read_metrics`, without the damaged lines, and what is wrong with those by number from 1 on."""
    records, damaged = [], {}
    lines = path.read_bytes().split(b"\n")[:-1] if path.exists() else []
    for number, line in enumerate(lines, start=1):
        try:
            records += [_record(line)] if line else []
        except ValueError as error:
            damaged[number] = str(error)
    return records, damaged


def _record(line: bytes) -> dict[str, Any]:
    value = json.loads(line.decode())
    if not isinstance(value, dict) or not isinstance(value.get("step"), int):
        raise ValueError("no record of a step")
    wrong = next((name for name, number in value.items() if not isinstance(number, int | float)), None)
    if wrong is not None:
        raise ValueError(f"{wrong} is no number")
    return value


def write_picture(path: Path, rgb: np.ndarray) -> Path:
    """Write a uint8 (H, W, 3) RGB picture as PNG, under its name only when complete."""
    path.parent.mkdir(parents=True, exist_ok=True)
    written, content = cv2.imencode(".png", cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR))
    if not written:
        raise OSError(f"OpenCV could not encode {path}")
    atomic_write(path, content.tobytes())
    return path
