"""What every system's session can be told; each system adds its own."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class SessionSettings:
    """How a session works, whatever answers in it.

    region_margin: pixels of the frame that stay as they were along the sides of a region. device: where the networks
    run. undo_depth: steps that can be undone; the disk holds the masks of as many propagations. measure_times: wait for
    a CUDA device around each module, so that `module_times` are its own.
    """

    region_margin: int = 3
    device: str = "cpu"
    undo_depth: int = 20
    measure_times: bool = False

    def __post_init__(self) -> None:
        if self.undo_depth < 0:
            raise ValueError(f"undo_depth is {self.undo_depth}; give 0 (nothing can be undone) or more")
        if self.region_margin < 0:
            raise ValueError(f"region_margin is {self.region_margin}; give 0 pixels or more")
