"""Loss and IoU of a stage on held-out batches, which are the same at every validation of every run."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ..log import MetricWindow
from ..micro_batches import to_device
from ..pictures import batch_picture
from ..stage import Scheduled, Stage
from ..step_results import mean_metrics, results_of
from .validator import Validation

NUM_SAMPLES = 32
MAX_JUMP = 5
_SEED = 0


class HeldOutBatches:
    """Runs the stage's own step on held-out batches, with the loss over all pixels.

    batches: gives the batches, anew at every call. autocast: dtype of the forward pass, None for float32. companion:
    the stage's frozen network, where it has one. Metrics are those of the step, named val_<name>; the picture is of
    the first batch; the score is the IoU, or minus the loss where the step gives no IoU.
    """

    name = "held-out"

    def __init__(
        self,
        stage: Stage,
        batches: Callable[[], Iterable[Mapping[str, Any]]],
        *,
        device: torch.device,
        autocast: torch.dtype | None = None,
        companion: nn.Module | None = None,
    ) -> None:
        self._stage, self._batches, self._device, self._autocast = stage, batches, device, autocast
        self._keywords = {**stage.step_settings, **({} if companion is None else {"companion": companion})}
        # Nothing of it changes over the run, so that the curve shows the network alone.
        self._scheduled = Scheduled(learning_rate=0.0, kept_fraction=1.0, max_jump=MAX_JUMP)

    def __call__(self, network: nn.Module, step: int) -> Validation:
        """Mean of each metric over the samples; ValueError when there is no batch."""
        window, picture = MetricWindow(), None
        for index, batch in enumerate(self._batches()):
            on_device = to_device(batch, self._device)
            torch.manual_seed(_SEED)
            rng = np.random.default_rng([_SEED, index])
            with torch.autocast(self._device.type, self._autocast, enabled=self._autocast is not None):
                answer = self._stage.step(network, on_device, rng, self._scheduled, **self._keywords)
                results = list(results_of(answer))
            found = mean_metrics([_numbers({"loss": one.loss, **one.metrics}) for one in results])
            window.add({f"val_{name}": value for name, value in found.items()})
            shown = [one.predicted for one in results if one.predicted is not None]
            if picture is None and shown:
                picture = batch_picture(batch, shown[-1])
        if not window.count:
            raise ValueError("no held-out batch to validate on; the source of batches is empty")
        metrics = window.means()
        has_iou = "val_iou" in metrics
        return Validation(
            metrics=metrics,
            pictures={} if picture is None else {self.name: picture},
            score=metrics["val_iou"] if has_iou else -metrics["val_loss"],
            # Which batches these are, the run's own identity tells.
            measured={"metric": "val_iou" if has_iou else "minus val_loss"},
        )


def _numbers(metrics: Mapping[str, Tensor]) -> dict[str, float]:
    return {name: float(value) for name, value in metrics.items()}
