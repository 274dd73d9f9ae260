"""Settings of an ATNet session."""

from dataclasses import dataclass

from .session_settings import SessionSettings


@dataclass(frozen=True, kw_only=True)
class ATNetSettings(SessionSettings):
    """How a session answers.

    threshold: a pixel is an object's where its probability is above it, 0.8 as published. max_annotated_frames: those
    nearest to a pass's begin that T-Net transfers from; published all, which 8 interactions are. short_side: pixels of
    the networks' input on the shorter side, None for the frame's own. objects_per_pass bounds the batch.
    """

    threshold: float = 0.8
    max_annotated_frames: int = 8
    short_side: int | None = None
    objects_per_pass: int = 8

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 <= self.threshold < 1:
            raise ValueError(f"threshold is {self.threshold}; give a probability, 0 or more and below 1")
        for name in ("max_annotated_frames", "objects_per_pass"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} is {getattr(self, name)}; give 1 or more")
        if self.short_side is not None and self.short_side < 1:
            raise ValueError(f"short_side is {self.short_side}; give a positive number, or None for the frame's own")
