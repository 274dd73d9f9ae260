"""Pretraining sequences from stills: three or more frames of one still under different warps, with labels."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from ..augmentation.buffers import Buffers
from ..augmentation.colour import change_colour, mean_colour
from ..augmentation.degrade import add_jpeg_noise, blur_picture
from ..augmentation.warp import View, warp_views
from ..corpus.labels import labels_of
from ..corpus.records import IGNORE_ID
from .matches import match_cells
from .paste import compose_frame
from .plan import LayerPlan, SequencePlan, draw_sequence
from .settings import SequenceSettings
from .shapes import with_region
from .stills import Still, StillSource

_PUBLISHED_SIZE = 384
_PASTE_TRIALS = 10
_BUFFERS = Buffers()


@dataclass(frozen=True, kw_only=True)
class StillSequence:
    """T frames of a still; the fields that a `samples.triplets.Triplet` has mean the same here.

    rgb uint8 (T, S, S, 3). labels uint8 (T, S, S) in {0, 1, 2, 255}; 255 is to be ignored. selector float32 (2,):
    selector[0] is always 1, selector[1] is 1 when there is a second object. key: name of the still. frames: 0 .. T-1.
    object_ids: the ids in `ids` of labels 1 and 2.
    ids uint8 (T, S, S): every object, the still's own from 1 on, then the pasted ones; 255 is to be ignored. names:
    id -> name of its still. plan: what was drawn.
    matches: int64 (T, T, C), see `match_cells`; None where the settings ask for none.
    """

    BATCHED: ClassVar[tuple[str, ...]] = ("rgb", "labels", "selector", "key", "frames", "matches")

    rgb: np.ndarray
    labels: np.ndarray
    selector: np.ndarray
    key: str
    frames: tuple[int, ...]
    object_ids: tuple[int, ...]
    ids: np.ndarray
    names: dict[int, str]
    plan: SequencePlan
    matches: np.ndarray | None

    def track(self, points: np.ndarray, object_id: int) -> tuple[np.ndarray, np.ndarray]:
        """Return where points of an object lie in each frame, float64 (T, P, 2), and whether it is seen there.

        points: float (P, 2), continuous pixels of the still of the object. Seen, bool (T, P): inside the frame, and not
        behind another object. KeyError for an id that is not there.
        """
        places = self.plan.track(points, object_id)
        pixels = np.floor(places).astype(int)
        is_inside = ((pixels >= 0) & (pixels < self.plan.settings.size)).all(-1)
        columns, rows = np.where(is_inside[..., None], pixels, 0).transpose(2, 0, 1)
        return places, is_inside & (self.ids[np.arange(len(self.ids))[:, None], rows, columns] == object_id)


def sample_sequence(
    rng: np.random.Generator,
    source: StillSource,
    number: int,
    settings: SequenceSettings,
    backgrounds: StillSource | None = None,
) -> StillSequence:
    """Draw a sequence of still `number` of the source; the same rng state gives the same sequence.

    Pasted objects come from other stills of the source; backgrounds from `backgrounds`, or else from the source, whose
    objects then stand in the background without a label. ValueError names a still that cannot be read.
    """
    still = _give_region(rng, source.read(rng, number), settings)
    pasted, background = [], None
    low, high = settings.num_pasted
    for _ in range(int(rng.integers(low, high + 1)) if high else 0):
        other = _read_other(rng, source, number)
        if other is not None:
            pasted.append(_give_region(rng, other, settings))
    if settings.background_probability and rng.random() < settings.background_probability:
        scenery = source if backgrounds is None else backgrounds
        background = scenery.read(rng, int(rng.integers(len(scenery))))
    for _ in range(1 + settings.max_redraws):
        sequence = render_sequence(draw_sequence(rng, settings, still, pasted, background), still, pasted, background)
        if sequence.object_ids or not settings.min_visible_area:
            break
    return sequence


def render_sequence(
    plan: SequencePlan, still: Still, pasted: Sequence[Still] = (), background: Still | None = None
) -> StillSequence:
    """Render a plan with the stills for which it was drawn; each pixel of a picture is resampled once."""
    settings = plan.settings
    rgb = np.empty((settings.num_frames, settings.size, settings.size, 3), np.uint8)
    ids = np.zeros(rgb.shape[:3], np.uint8)
    # What is to be ignored belongs to the still's own background.
    has_void = plan.background is None and bool((still.ids == IGNORE_ID).any())
    still_views = _views(plan.still, still, settings, settings.border, rgb, (IGNORE_ID,) if has_void else ())
    pasted_views = [
        list(_views(layer, other, settings, settings.border)) for layer, other in zip(plan.pasted, pasted, strict=True)
    ]
    scenery: Iterable[np.ndarray | None] = [None] * settings.num_frames
    if plan.background is not None:
        if background is None:
            raise ValueError("the plan was drawn with a background; pass the still of the background")
        scenery = (view.rgb for view in _views(plan.background, background, settings, None))
    for frame, (view, bottom) in enumerate(zip(still_views, scenery, strict=True)):
        others = [views[frame] for views in pasted_views]
        picture = _degrade(compose_frame(plan, view, others, bottom, ids[frame]), plan)
        if picture is not view.rgb:
            rgb[frame] = picture
    chosen = _labelled(plan, ids[0])
    labels = ids.copy() if chosen == (1,) and len(plan.label_order) == 1 else labels_of(ids, chosen)
    names = dict.fromkeys(plan.still.object_ids, still.name)
    names |= {layer.object_ids[0]: other.name for layer, other in zip(plan.pasted, pasted, strict=True)}
    cell = settings.match_cell
    return StillSequence(
        rgb=rgb,
        labels=labels,
        selector=np.array([1, len(chosen) == 2], np.float32),
        key=still.name,
        frames=tuple(range(settings.num_frames)),
        object_ids=chosen,
        ids=ids,
        names=names,
        plan=plan,
        matches=match_cells(plan, ids, cell, still.ids.shape) if cell else None,
    )


def _give_region(rng: np.random.Generator, still: Still, settings: SequenceSettings) -> Still:
    is_drawn = settings.region_probability and rng.random() < settings.region_probability
    return with_region(rng, still, settings.region_size) if is_drawn else still


def _read_other(rng: np.random.Generator, source: StillSource, number: int) -> Still | None:
    """Another still with an object; None where a few trials find none."""
    for _ in range(_PASTE_TRIALS):
        other = int(rng.integers(len(source)))
        if other == number and len(source) > 1:
            continue
        still = source.read(rng, other)
        if len(still.object_ids()):
            return still
    return None


def _views(
    layer: LayerPlan,
    still: Still,
    settings: SequenceSettings,
    border: tuple[int, int, int] | None,
    out: np.ndarray | None = None,
    further_ids: tuple[int, ...] = (),
) -> Iterator[View]:
    """Yield the still of a layer in every frame, with the masks of its source ids and of `further_ids`.

    out: uint8 (T, S, S, 3) into which the pictures go; masks then last until the next frame is asked for.
    """
    mean = mean_colour(still.rgb)
    masks = [(still.ids == source_id).view(np.uint8) * np.uint8(255) for source_id in (*layer.source_ids, *further_ids)]
    views = warp_views(
        still.rgb,
        masks,
        layer.warps,
        settings.size,
        border=border,
        recolour=lambda part: change_colour(part, *layer.change, mean=mean),
        buffers=None if out is None else _BUFFERS,
    )
    for frame, (view, change) in enumerate(zip(views, layer.frame_changes, strict=True)):
        rgb = change_colour(view.rgb, change, mean=view.mean, out=None if out is None else out[frame])
        yield View(rgb=rgb, masks=view.masks, mean=view.mean)


def _degrade(rgb: np.ndarray, plan: SequencePlan) -> np.ndarray:
    if plan.blur is not None:
        rgb = blur_picture(rgb, plan.blur)
    return rgb if plan.jpeg_quality is None else add_jpeg_noise(rgb, plan.jpeg_quality)


def _labelled(plan: SequencePlan, first_ids: np.ndarray) -> tuple[int, ...]:
    """The ids of the at most two objects that get labels."""
    least = plan.settings.min_visible_area * (plan.settings.size / _PUBLISHED_SIZE) ** 2
    if not least:
        return plan.label_order[:2]
    areas = np.bincount(first_ids.ravel(), minlength=256)
    return tuple(object_id for object_id in plan.label_order if areas[object_id] >= least)[:2]
