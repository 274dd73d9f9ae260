"""Options that evaluation commands share: which sequences, how networks run, and checks of what is given."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from tyro.conf import UseAppendAction

from .errors import EvaluationError
from .parallel_options import ParallelOptions

if TYPE_CHECKING:
    from pathlib import Path

    from .methods import InferenceSettings
    from .sequences import SequenceSet


@dataclass(frozen=True, kw_only=True)
class SequenceOptions(ParallelOptions):
    """Which sequences are read."""

    root: str
    """DAVIS tree (2016 or 2017), YouTube-VOS tree, or the folder or URL of a corpus."""
    split: str = "val"
    """List in ImageSets/<year>, folder of a YouTube-VOS tree (val is valid), or split of a corpus (train, val, all)."""
    year: Literal["2016", "2017"] | None = None
    """Which lists to read where a tree has both; 2016 merges all objects into one."""
    sequence: UseAppendAction[tuple[str, ...]] = ()
    """Only this sequence or clip; give the flag again for more."""

    def open_sequences(self, *, from_first: bool = True, sparse: bool = False) -> SequenceSet:
        """The sequences asked for; see `sequences.open_sequences`, EvaluationError names what is missing."""
        from ...datagen.storage.store import corpus_location
        from .sequences import choose_sequences, open_sequences

        root = corpus_location(self.root)
        found = open_sequences(root, self.split, self.year, from_first=from_first, sparse=sparse)
        return choose_sequences(found, self.sequence)


@dataclass(frozen=True, kw_only=True)
class NetworkOptions(ParallelOptions):
    """Where networks run, and at what size."""

    short_side: int | None = None
    """Pixels of the network input's shorter side; the frame's own without it."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    """Where networks run; auto takes CUDA where there is one."""

    def chosen_device(self, has_networks: bool = True) -> Literal["cpu", "cuda"]:
        """Where networks run; torch is not imported where there is none. Raises EvaluationError.

        With --address they run on other machines too, so CUDA need not be here.
        """
        from .methods import chosen_device

        return chosen_device(self.device, elsewhere=self.address is not None) if has_networks else "cpu"


@dataclass(frozen=True, kw_only=True)
class PropagationOptions(NetworkOptions):
    """How a propagation network runs."""

    memory_every: int = 5
    """Frames between two memory frames; given masks and the previous frame are always remembered."""
    top_k: int = 50
    """Memory cells each query cell reads in propagation; 0 reads all."""

    def inference(self, device: str) -> InferenceSettings:
        """The settings of propagation on a device."""
        from .methods import InferenceSettings

        return InferenceSettings(
            memory_every=self.memory_every, top_k=self.top_k or None, short_side=self.short_side, device=device
        )


def check_numbers(*given: tuple[str, float | None, float]) -> None:
    """Raise EvaluationError for the first (flag, value, least) whose value is below the least; None stands for none."""
    for flag, value, least in given:
        if value is not None and value < least:
            raise EvaluationError(f"{flag} is {value}; give {least} or more")


def check_input_file(path: Path, flag: str) -> None:
    """Raise EvaluationError when there is no such file."""
    if not path.is_file():
        raise EvaluationError(f"{flag} {path} is {'not a file' if path.exists() else 'missing'}")
