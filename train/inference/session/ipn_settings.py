"""Settings of an IPN session."""

from dataclasses import dataclass

from ..interaction import InteractionSettings


@dataclass(frozen=True, kw_only=True)
class IPNSettings:
    """How a session answers.

    short_side: pixels to which the frames' shorter side is scaled before regions are cut, None for the frames' own.
    roi_scale: of each side of the box about the guidance, see `RoiRule`. round_neighbour: propagation gets the mask
    beside it as 0 or 1, as published. stroke_width: 5, lines dilated twice by a 3x3 cross. click_radius, region_margin:
    see `InteractionSettings`. max_rounds: the newest interactions whose features are aggregated. objects_per_pass
    bounds the batch. undo_depth, measure_times: see `MiVOSSettings`.
    """

    short_side: int | None = None
    roi_scale: float = 2.0
    round_neighbour: bool = True
    stroke_width: int = 5
    click_radius: float = 4.0
    region_margin: int = 3
    max_rounds: int = 16
    objects_per_pass: int = 8
    device: str = "cpu"
    undo_depth: int = 20
    measure_times: bool = False

    def __post_init__(self) -> None:
        if self.max_rounds < 1:
            raise ValueError(f"max_rounds is {self.max_rounds}; give 1 or more")
        if self.undo_depth < 0:
            raise ValueError(f"undo_depth is {self.undo_depth}; give 0 (nothing can be undone) or more")
        if self.roi_scale < 1:
            raise ValueError(f"roi_scale is {self.roi_scale}; give 1 or more")
        # Its own checks.
        self.interaction()

    def interaction(self) -> InteractionSettings:
        """How strokes and clicks are drawn."""
        return InteractionSettings(
            short_side=self.short_side,
            stroke_width=self.stroke_width,
            click_radius=self.click_radius,
            objects_per_pass=self.objects_per_pass,
            region_margin=self.region_margin,
        )
