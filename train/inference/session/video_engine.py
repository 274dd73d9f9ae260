"""What a system's networks do on the frames of one video: what all systems share, and what each says itself.

| system | answers on a frame | carries over the video | between two given frames | keeps besides masks |
|---|---|---|---|---|
| MiVOS | Scribble-to-Mask | propagation network, from a memory | fusion network, or by distance | encoded frames |
| IPN | I-net, in regions | P-net, from neighbour and rounds | by distance, 1 to 0 | annotations, features |
| ATNet | A-Net, a threshold | T-Net, from neighbour and annotated frames | by distance, 1 to 0.5 | the same |
| wild | click network, CRF | OSVOS tuned to the given frames | all frames anew | tuned networks |

N objects, H W pixels.
"""

from abc import ABC, abstractmethod
from collections.abc import Collection, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol, TypeVar

import numpy as np
import torch
from torch import Tensor

from .draft import Draft
from .frames import FrameSource
from .module_times import ModuleClock
from .passes import Pass, passes_from
from .session_settings import SessionSettings
from .state import Waiting
from .store import ResultStore, View


@dataclass(frozen=True, kw_only=True)
class Footage:
    """What an engine works on: a video, its objects and the store of their masks."""

    frames: FrameSource
    object_ids: tuple[int, ...]
    store: ResultStore


class Revisioned(Protocol):
    """What bears the revisions of the store: see `ResultStore`."""

    def find(self, newest: int) -> None: ...
    def forget_after(self, revision: int) -> None: ...
    def forget_unseen(self, views: Collection[View], given: Collection[int]) -> None: ...


Kept = TypeVar("Kept", bound=Revisioned)


class VideoEngine(ABC):
    """Corrects frames, and carries masks over frames into the session's store; the clock says how long it took.

    A system gives `correct` and `carried`, and where it keeps something besides the masks, `committed`.
    """

    def __init__(self, settings: SessionSettings, footage: Footage) -> None:
        self._frames, self._ids, self._store = footage.frames, footage.object_ids, footage.store
        self._device = torch.device(settings.device)
        self._lookup = np.array([0, *self._ids], np.uint8)
        self._kept: list[Revisioned] = []
        self.clock = ModuleClock(self._device if settings.measure_times else None)

    @abstractmethod
    def correct(self, draft: Draft) -> np.ndarray:
        """The ids of a frame after the strokes and clicks on it, uint8 (H, W); what is outside a region is not used."""

    @abstractmethod
    def carried(self, one: Pass, item: Waiting, given: Sequence[int], base: View) -> Iterator[tuple[Tensor, Tensor]]:
        """For each frame of a pass, in order: the object of each pixel, int (H, W), and the probabilities (N, H, W).

        An object is its row from 1 on, 0 is background. item: the frame that the pass begins at. given: all frames with
        given masks. base: what of the store stands.
        """

    def passes(self, frame: int, given: Sequence[int], propagated: Sequence[int], num_frames: int) -> Sequence[Pass]:
        """Where a propagation from a frame goes: to both sides, up to the next given frame.

        given: all frames with given masks, propagated: those of them that were carried before.
        """
        return passes_from(frame, given, propagated, num_frames)

    def committed(self, draft: Draft, revision: int) -> None:  # noqa: B027 (half of the systems keep masks alone)
        """Keep what the user gave on a frame whose masks stand now in `revision`."""

    def carry(
        self, one: Pass, item: Waiting, given: Sequence[int], base: View, revision: int
    ) -> Iterator[tuple[int, np.ndarray]]:
        """Set the frames of a pass in `revision` of the store and yield them with their ids; see `carried`."""
        if not one.frames:
            return
        for t, (labels, soft) in zip(one.frames, self.carried(one, item, given, base), strict=True):
            ids, grey = self._to_store(labels, soft)
            self._store.write(t, revision, ids, grey)
            yield t, ids

    def find(self, newest: int) -> None:
        """Take up what a session left in the folder, up to a revision."""
        for kept in self._kept:
            kept.find(newest)

    def forget_after(self, revision: int) -> None:
        """Drop what is newer than a revision."""
        for kept in self._kept:
            kept.forget_after(revision)

    def forget_unseen(self, views: Collection[View], given: Collection[int]) -> None:
        """Drop what none of these views shows; see `ResultStore`."""
        for kept in self._kept:
            kept.forget_unseen(views, given)

    def _keep(self, kept: Kept) -> Kept:
        """Let undoing and resuming find something."""
        self._kept.append(kept)
        return kept

    def _stored(self, t: int, view: View) -> Tensor:
        """The probabilities of frame t in a view, float32 (N, H, W), on the device."""
        return torch.from_numpy(self._store.soft(t, view)).to(self._device) / 255

    def _as_ids(self, labels: Tensor) -> np.ndarray:
        return self._lookup[labels.cpu().numpy()]

    def _to_store(self, labels: Tensor, soft: Tensor) -> tuple[np.ndarray, np.ndarray]:
        """Ids uint8 (H, W) and probabilities uint8 (N, H, W), brought over from the device at once."""
        grey = in_grey(soft)
        results = torch.cat([labels[None].to(torch.uint8), grey]).cpu().numpy()
        return self._lookup[results[0]], results[1:]

    def _measured(self, module: str) -> AbstractContextManager[None]:
        return self.clock.inference(module, len(self._ids))


def in_grey(soft: Tensor) -> Tensor:
    """Probabilities as they are kept: uint8, 255 for 1."""
    return (soft * 255).round().clamp(0, 255).to(torch.uint8)
