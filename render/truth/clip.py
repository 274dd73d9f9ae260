"""The ground truth of one clip: surfaces come in frame by frame, the members of ids and passes come out, checked.

Shapes: F frames, N objects, P points, H W pixels.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ...datagen.imaging.images import encode_palette_png
from ...datagen.imaging.passes import (
    PASSES,
    decode_depth,
    decode_flow,
    encode_amodal,
    encode_coordinates,
    encode_depth,
    encode_flow,
    encode_normals,
    encode_tracks,
    pass_member_name,
)
from . import checks as truth_checks
from .surface import Arrival, ClipGeometry, Surface, camera_normals, motion_to, object_coordinates
from .tracks import track_points, visible_points

CHECKED = ("depth", "flow")


class MaskLog:
    """What is counted on the id masks of a clip: areas and boxes of every object, and the stored pictures.

    areas: N rows of pixels a frame; boxes: N rows of [x0, y0, x1, y1] with exclusive maxima, None where unseen.
    """

    def __init__(self, object_ids: Sequence[int]) -> None:
        self._object_ids = object_ids
        self.areas: list[list[int]] = [[] for _ in object_ids]
        self.boxes: list[list[list[int] | None]] = [[] for _ in object_ids]
        self.pictures: list[bytes] = []

    def add(self, ids: np.ndarray) -> None:
        """Count and encode one frame, uint8 (H, W)."""
        for slot, instance_id in enumerate(self._object_ids):
            area, box = area_and_box(ids == instance_id)
            self.areas[slot].append(area)
            self.boxes[slot].append(box)
        self.pictures.append(encode_palette_png(ids))


class ClipTruth:
    """Encodes the wanted passes of a clip and checks sampled frames of it against each other.

    wanted: names of `PASSES`; tracks and amodal masks are added by calls of their own. Raises RejectedScene from `add`
    when a check fails: three pairs of neighbouring frames, and the first frame against the last. What a check needs and
    nobody asked for is made for those frames only.
    """

    def __init__(self, key: str, geometry: ClipGeometry, wanted: Sequence[str]) -> None:
        self._key, self._geometry = key, geometry
        self._num_frames = len(geometry.poses)
        self._wanted = [name for name in PASSES if name in wanted]
        self._sampled = truth_checks.sampled_pairs(self._num_frames)
        self._previous: _CheckedFrame | None = None
        self._first: _CheckedFrame | None = None
        self.passes: dict[str, list[tuple[str, bytes]]] = {name: [] for name in self._wanted}

    def add(self, frame: int, surface: Surface) -> None:
        """Encode one frame; frames come in order."""
        is_checked = not {frame, frame - 1}.isdisjoint(self._sampled) or self._num_frames == 1
        names = dict.fromkeys([*self._wanted, *(CHECKED if is_checked else ())])
        stored: dict[str, bytes] = {}
        arrivals: dict[int, Arrival] = {}
        if "depth" in names:
            stored["depth.png"] = encode_depth(surface.depth)
        if "normals" in names:
            stored["normals.png"] = encode_normals(camera_normals(surface, self._geometry.poses[frame]))
        if "flow" in names:
            for suffix, other in (("flow_forward.png", frame + 1), ("flow_backward.png", frame - 1)):
                if 0 <= other < self._num_frames:
                    arrivals[other] = motion_to(surface, self._geometry, frame, other)
                    stored[suffix] = encode_flow(arrivals[other].flow, arrivals[other].valid)
        if "coordinates" in names:
            stored["coordinates.png"] = encode_coordinates(*object_coordinates(surface, self._geometry, frame))
        for name in self._wanted:
            for suffix in PASSES[name].members:
                if suffix in stored:
                    self.passes[name].append((pass_member_name(self._key, frame, suffix), stored[suffix]))
        if is_checked:
            self._check(_CheckedFrame(frame, surface, stored, arrivals))

    def add_tracks(self, tracks: np.ndarray) -> None:
        """Store the tracks of the clip, float32 (P, F, 4)."""
        self.passes["tracks"] = [(pass_member_name(self._key, 0, "tracks.npy"), encode_tracks(tracks))]

    def add_amodal(self, frame: int, masks: np.ndarray, object_ids: Sequence[int]) -> None:
        """Store the amodal masks of one frame, bool (N, H, W)."""
        name = pass_member_name(self._key, frame, "amodal.png")
        self.passes["amodal"].append((name, encode_amodal(masks, object_ids)))

    def _check(self, now: _CheckedFrame) -> None:
        geometry, frame, ids = self._geometry, now.frame, now.surface.ids
        pose, intrinsics = geometry.poses[frame], geometry.intrinsics[frame]
        truth_checks.reject_bad_truth(
            "camera", frame, truth_checks.camera_agreement(now.surface, now.depth, pose, intrinsics)
        )
        before, self._previous = self._previous, now
        self._first = self._first or now
        if frame == self._num_frames - 1 and frame > 1:
            depths, both = (self._first.depth, now.depth), (self._first.surface.ids, ids)
            agreement = truth_checks.depth_agreement(depths, both, geometry, (self._first.frame, frame), True)
            truth_checks.reject_bad_truth("depth", frame, agreement)
        if before is None or before.frame != frame - 1 or before.frame not in self._sampled:
            return
        for here, there in ((before, now), (now, before)):
            both = (here.surface.ids, there.surface.ids)
            frames, focal = (here.frame, there.frame), geometry.intrinsics[there.frame][0, 0]
            depth = truth_checks.depth_agreement((here.depth, there.depth), both, geometry, frames)
            truth_checks.reject_bad_truth("depth", here.frame, depth)
            arrival, (flow, _) = here.arrivals[there.frame], here.flow_to(there.frame)
            carried = truth_checks.flow_agreement(flow, arrival, both, there.depth, focal)
            truth_checks.reject_bad_truth("flow", here.frame, carried)
            back = there.flow_to(here.frame)
            returned = truth_checks.return_agreement(flow, arrival, *back, both, there.depth, focal)
            truth_checks.reject_bad_truth("return", here.frame, returned)


class _CheckedFrame:
    """A frame kept for checks: what was met, and what was stored of it, decoded again."""

    def __init__(self, frame: int, surface: Surface, stored: dict[str, bytes], arrivals: dict[int, Arrival]) -> None:
        self.frame, self.surface, self.arrivals = frame, surface, arrivals
        self.depth = decode_depth(stored["depth.png"])
        flows = {frame + 1: "flow_forward.png", frame - 1: "flow_backward.png"}
        self._flows = {other: decode_flow(stored[name]) for other, name in flows.items() if name in stored}

    def flow_to(self, other: int) -> tuple[np.ndarray, np.ndarray]:
        return self._flows[other]


class TrackLog:
    """Collects the tracks of a clip frame by frame.

    object_ids: uint8 (P,), the object of each point.
    """

    def __init__(self, object_ids: np.ndarray, geometry: ClipGeometry) -> None:
        self._object_ids, self._geometry = object_ids, geometry
        self._frames: list[np.ndarray] = []

    def add(self, frame: int, positions: np.ndarray, surface: Surface) -> None:
        """Project the points of one frame, world float64 (P, 3), and see which are visible."""
        intrinsics = self._geometry.intrinsics[frame]
        tracks = track_points(positions, self._geometry.poses[frame], intrinsics)
        seen = visible_points(tracks, self._object_ids, surface.ids, surface.depth, intrinsics[0, 0])
        tracks[:, 3] = seen
        self._frames.append(tracks.astype(np.float32))

    def tracks(self) -> np.ndarray:
        """All tracks, float32 (P, F, 4): x, y in pixels, depth in scene units, visible 0 or 1."""
        return np.stack(self._frames, axis=1)


def area_and_box(mask: np.ndarray) -> tuple[int, list[int] | None]:
    """Pixels of a mask and its box [x0, y0, x1, y1] with exclusive maxima, None when it is empty."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if not len(rows):
        return 0, None
    box = [int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1]
    return int(mask.sum()), box
