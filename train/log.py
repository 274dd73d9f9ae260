"""What a run writes for people: JSONL metrics, TensorBoard, pictures of predictions."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from ..datagen.imaging.images import overlay
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
        self.path = folder / "metrics.jsonl"
        kept = [line for line in read_metrics(self.path) if line["step"] <= start_step]
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
                self._tensorboard.add_scalar(f"{prefix}/{name}", value, step)

    def close(self) -> None:
        """Close both outputs."""
        self._file.close()
        if self._tensorboard is not None:
            self._tensorboard.close()


def read_metrics(path: Path) -> list[dict[str, Any]]:
    """Records of a metrics.jsonl, in order; a torn last line (killed while writing) is left out, no file gives none."""
    if not path.exists():
        return []
    lines = path.read_text().split("\n")
    return [json.loads(line) for line in lines[:-1] if line]


def prediction_picture(rgb: np.ndarray, labels: np.ndarray, predicted: np.ndarray, max_rows: int = 4) -> np.ndarray:
    """A picture with one row a sample: frame 0 with its masks, then frames 1 and 2, each with truth and prediction.

    rgb float (B, 3, 3, H, W) in [0, 1], labels (B, 3, H, W), predicted (B, 2, H, W) ids -> uint8 (H', W', 3).
    """
    rows = []
    for frames, truth, guess in zip(rgb[:max_rows], labels, predicted, strict=False):
        images = [np.ascontiguousarray((frame.transpose(1, 2, 0) * 255).round().astype(np.uint8)) for frame in frames]
        cells = [overlay(images[0], truth[0].astype(np.uint8))]
        for index in (1, 2):
            cells += [overlay(images[index], ids.astype(np.uint8)) for ids in (truth[index], guess[index - 1])]
        rows.append(np.concatenate(cells, axis=1))
    return np.concatenate(rows, axis=0)


def write_picture(path: Path, rgb: np.ndarray) -> Path:
    """Write a uint8 (H, W, 3) RGB picture as PNG, under its name only when complete."""
    path.parent.mkdir(parents=True, exist_ok=True)
    written, content = cv2.imencode(".png", cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR))
    if not written:
        raise OSError(f"OpenCV could not encode {path}")
    atomic_write(path, content.tobytes())
    return path
