"""Settings of a MiVOS session."""

from dataclasses import dataclass
from typing import Literal, get_args

from ..interaction import InteractionSettings
from ..propagation_settings import Precision, PropagationSettings

FusionMode = Literal["difference", "learned", "linear", "none"]


@dataclass(frozen=True, kw_only=True)
class MiVOSSettings:
    """How a session answers.

    memory_every, top_k, short_side, device, max_memory_frames, objects_per_pass, precision: see `PropagationSettings`;
    precision is of propagation alone.
    stroke_width, click_radius, region_margin: see `InteractionSettings`. fusion: what decides between two interactions:
    the fusion network with difference maps, the same with empty maps (learnable fusion without difference), blending by
    distance alone, or "none", the newest wins. attention_top_k: see `difference_maps`. undo_depth: steps that can be
    undone; the disk holds the masks of as many propagations. measure_times: wait for a CUDA device around each module,
    so that `module_times` are its own.
    """

    memory_every: int = 5
    top_k: int | None = 50
    short_side: int | None = None
    device: str = "cpu"
    max_memory_frames: int = 200
    objects_per_pass: int = 8
    precision: Precision = "float32"
    stroke_width: int = 3
    click_radius: float = 4.0
    region_margin: int = 3
    fusion: FusionMode = "difference"
    attention_top_k: int | None = None
    undo_depth: int = 20
    measure_times: bool = False

    def __post_init__(self) -> None:
        if self.fusion not in get_args(FusionMode):
            raise ValueError(f"fusion is {self.fusion!r}; choose one of {', '.join(get_args(FusionMode))}")
        if self.undo_depth < 0:
            raise ValueError(f"undo_depth is {self.undo_depth}; give 0 (nothing can be undone) or more")
        if self.attention_top_k is not None and self.attention_top_k < 1:
            raise ValueError(
                f"attention_top_k is {self.attention_top_k}; give a positive number, or None for all cells"
            )
        if self.max_memory_frames < 4:
            raise ValueError(
                f"max_memory_frames is {self.max_memory_frames}; give 4 or more: a pass begins at one given frame, may "
                "end at another, and remembers what it passes"
            )
        # Their own checks.
        self.propagation()
        self.interaction()

    @property
    def max_given_frames(self) -> int:
        """Frames with given masks that a pass has in memory at most; half of the memory is for the frames it passes."""
        return self.max_memory_frames // 2

    def propagation(self) -> PropagationSettings:
        """The settings of propagation."""
        return PropagationSettings(
            memory_every=self.memory_every,
            top_k=self.top_k,
            short_side=self.short_side,
            device=self.device,
            max_memory_frames=self.max_memory_frames,
            objects_per_pass=self.objects_per_pass,
            precision=self.precision,
        )

    def interaction(self) -> InteractionSettings:
        """The settings of Scribble-to-Mask."""
        return InteractionSettings(
            short_side=self.short_side,
            stroke_width=self.stroke_width,
            click_radius=self.click_radius,
            objects_per_pass=self.objects_per_pass,
            region_margin=self.region_margin,
        )
