"""All that is random in a sequence, drawn once as plain data; the same plan gives the same frames, ids and points."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..augmentation.affine import centred_matrix, flip_matrix, scale_matrix, translation_matrix
from ..augmentation.colour import ColourChange, draw_jitter
from ..augmentation.degrade import Blur, draw_blur
from ..augmentation.spline_warp import SplineWarp, draw_spline
from ..augmentation.warp import Warp
from .settings import SequenceSettings
from .stills import Still

_MOST_ENLARGED = 3.0
"""A pasted object of a few pixels is not blown up beyond this, whatever size was drawn."""
_BACKGROUND_SCALE = (1.0, 1.5)


@dataclass(frozen=True, kw_only=True)
class LayerPlan:
    """How one still lies in every frame: its colours before, its warps, its colours after.

    source_ids: ids of its objects that are used, in the still. object_ids: their ids in the sequence.
    """

    change: tuple[ColourChange, ...]
    warps: tuple[Warp, ...]
    frame_changes: tuple[ColourChange, ...]
    source_ids: tuple[int, ...] = ()
    object_ids: tuple[int, ...] = ()


@dataclass(frozen=True, kw_only=True)
class SequencePlan:
    """A sequence as plain data; what the fields mean is told by `SequenceSettings`.

    pasted: back to front; the first `num_behind` of them lie behind the still's own objects. label_order: all object
    ids in the order in which they are taken for labels. blur, jpeg_quality: None for none.
    """

    settings: SequenceSettings
    still: LayerPlan
    pasted: tuple[LayerPlan, ...] = ()
    num_behind: int = 0
    background: LayerPlan | None = None
    label_order: tuple[int, ...] = ()
    blur: Blur | None = None
    jpeg_quality: int | None = None

    def track(self, points: np.ndarray, object_id: int | None = None) -> np.ndarray:
        """Return where points (P, 2) of the still lie in each frame, float64 (T, P, 2), inside the frame or not.

        object_id: for a pasted object, points of the still that it comes from. KeyError for an id that is not there.
        """
        layers = dict.fromkeys((None, *self.still.object_ids), self.still)
        layers |= {layer.object_ids[0]: layer for layer in self.pasted}
        return np.stack([warp.result_points(points, self.settings.size) for warp in layers[object_id].warps])


def draw_sequence(
    rng: np.random.Generator,
    settings: SequenceSettings,
    still: Still,
    pasted: Sequence[Still] = (),
    background: Still | None = None,
) -> SequencePlan:
    """Draw a sequence of a still, with an object of each still of `pasted` and, if given, another background."""
    chosen = still.object_ids()
    if len(chosen) > settings.num_still_objects:
        chosen = np.sort(rng.permutation(chosen)[: settings.num_still_objects])
    own = tuple(range(1, len(chosen) + 1))
    height, width = still.rgb.shape[:2]
    still_warps = _draw_picture_warps(rng, settings, width, height, settings.still_scale)
    still_layer = _draw_layer(rng, settings, still_warps, tuple(map(int, chosen)), own)
    layers = [_draw_pasted(rng, settings, other, len(own) + 1 + place) for place, other in enumerate(pasted)]
    num_behind = int(rng.binomial(len(layers), settings.behind_probability)) if layers else 0
    background_layer = None
    if background is not None:
        height, width = background.rgb.shape[:2]
        background_warps = _draw_picture_warps(rng, settings, width, height, _BACKGROUND_SCALE, bend=False)
        background_layer = _draw_layer(rng, settings, background_warps)
    object_ids = own + tuple(layer.object_ids[0] for layer in layers)
    label_order = tuple(map(int, rng.permutation(object_ids))) if len(object_ids) > 1 else object_ids
    blur, jpeg_quality = None, None
    if settings.blur_probability and rng.random() < settings.blur_probability:
        blur = draw_blur(rng, settings.blur_sigma, settings.motion_blur_length, settings.motion_blur_probability)
    if settings.jpeg_probability and rng.random() < settings.jpeg_probability:
        low, high = settings.jpeg_quality
        jpeg_quality = int(rng.integers(low, high + 1))
    return SequencePlan(
        settings=settings,
        still=still_layer,
        pasted=tuple(layers),
        num_behind=num_behind,
        background=background_layer,
        label_order=label_order,
        blur=blur,
        jpeg_quality=jpeg_quality,
    )


def _draw_layer(
    rng: np.random.Generator,
    settings: SequenceSettings,
    warps: Sequence[Warp],
    source_ids: tuple[int, ...] = (),
    object_ids: tuple[int, ...] = (),
) -> LayerPlan:
    change = [draw_jitter(rng, settings.still_jitter)]
    if rng.random() < settings.greyscale_probability:
        change.append(ColourChange(saturation=0.0))
    frame_changes = [draw_jitter(rng, settings.frame_jitter) for _ in warps]
    return LayerPlan(
        change=tuple(change),
        warps=tuple(warps),
        frame_changes=tuple(frame_changes),
        source_ids=source_ids,
        object_ids=object_ids,
    )


def _draw_picture_warps(
    rng: np.random.Generator,
    settings: SequenceSettings,
    width: int,
    height: int,
    still_scale: tuple[float, float],
    bend: bool = True,
) -> list[Warp]:
    """The published geometry: scale and flip of the still; per frame an affine, a resize, a crop and a spline."""
    centre, size = (width / 2, height / 2), settings.size
    whole = centred_matrix(centre, scale=rng.uniform(*still_scale))
    if rng.random() < settings.flip_probability:
        whole = flip_matrix(width) @ whole
    enlarge = size / min(width, height)
    poses = _draw_poses(rng, settings)
    # The crop is a share of the room that there is; with pixels, as published, it would be of whole pixels.
    room = np.array([width, height]) * enlarge - size
    crops = _over_frames(rng, settings, lambda: rng.random(2) * room)
    warps = []
    for pose, (left, top) in zip(poses, crops, strict=True):
        matrix = translation_matrix(-left, -top) @ scale_matrix(enlarge, enlarge) @ _pose_matrix(centre, pose) @ whole
        warps.append(Warp(matrix=matrix, spline=_draw_bend(rng, settings) if bend else None))
    return warps


def _draw_pasted(rng: np.random.Generator, settings: SequenceSettings, still: Still, object_id: int) -> LayerPlan:
    """An object of another still, on a path of its own."""
    source_id, size = int(rng.choice(still.object_ids())), settings.size
    rows, columns = np.nonzero(still.ids == source_id)
    low, high = np.array([columns.min(), rows.min()]), np.array([columns.max(), rows.max()]) + 1
    scale = min(rng.uniform(*settings.pasted_size) * size / (high - low).max(), _MOST_ENLARGED)
    mirror = -1.0 if rng.random() < settings.flip_probability else 1.0
    to_origin = scale_matrix(mirror * scale, scale) @ translation_matrix(*(-(low + high) / 2))
    start = size * (0.5 + settings.pasted_spread * rng.uniform(-0.5, 0.5, 2))
    step = size * settings.pasted_shift * rng.uniform(-1, 1, 2)
    warps = []
    for frame, pose in enumerate(_draw_poses(rng, settings)):
        matrix = translation_matrix(*(start + frame * step)) @ _pose_matrix((0.0, 0.0), pose) @ to_origin
        warps.append(Warp(matrix=matrix, spline=_draw_bend(rng, settings)))
    return _draw_layer(rng, settings, warps, (source_id,), (object_id,))


def _draw_poses(rng: np.random.Generator, settings: SequenceSettings) -> list[np.ndarray]:
    """Rotation in degrees, scale and shear in degrees, for each frame."""
    rotation, shear = settings.rotation_degrees, settings.shear_degrees
    low, high = settings.frame_scale
    return _over_frames(
        rng,
        settings,
        lambda: rng.uniform([-rotation, low, -shear], [rotation, high, shear]),
    )


def _over_frames(rng: np.random.Generator, settings: SequenceSettings, draw) -> list[np.ndarray]:
    """One draw for each frame, or an even way from one draw to another."""
    if settings.motion == "independent":
        return [draw() for _ in range(settings.num_frames)]
    first, last = draw(), draw()
    return [first + share * (last - first) for share in np.linspace(0, 1, settings.num_frames)]


def _pose_matrix(centre: tuple[float, float], pose: np.ndarray) -> np.ndarray:
    rotation, scale, shear = pose
    return centred_matrix(centre, rotation_degrees=rotation, scale=scale, shear_degrees=shear)


def _draw_bend(rng: np.random.Generator, settings: SequenceSettings) -> SplineWarp | None:
    if not settings.spline_probability or rng.random() >= settings.spline_probability:
        return None
    return draw_spline(rng, settings.spline_points, settings.spline_displacement)
