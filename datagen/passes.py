"""The passes of a corpus: what each holds, how its members are named, and its exact coding. H W pixels, F frames, P points.

A pass lies in tars of its own beside the pictures (`clips-00000.depth.tar`), under the same keys. Pictures are PNGs,
lossless, so what is decoded is what was encoded, up to the stated step of the 8- or 16-bit count. The ids are no pass:
they are in the main tar of every corpus.
"""

import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np

DEPTH_UNIT = 0.001
FLOW_SCALE = 64.0
MAX_AMODAL_OBJECTS = 16
_COUNTS = 65535
_FLOW_ZERO = 2**15
_COORDINATE_STEPS = 65534
_NORMAL_STEPS = 254
# Rounding of single precision leaves a vertex of the box a little outside of it; what is further out is an error.
_COORDINATE_SLACK = 1e-3
_PNG_END = b"IEND\xaeB`\x82"
# Level 1 costs 7 ms for 768x512 counts of depth and 15 ms for flow; the default of OpenCV is as fast and 4 times as big.
_PNG_SETTINGS = (cv2.IMWRITE_PNG_COMPRESSION, 1)


@dataclass(frozen=True, kw_only=True)
class Pass:
    """One pass: `members` are the ends of the member names, one each per frame, or per clip when `per_clip`.

    dtype: of the stored counts. A stored count c means (c - zero) * scale in `unit`; `invalid` says how a pixel without
    a value is stored. `shape` is that of one decoded member.
    """

    name: str
    members: tuple[str, ...]
    per_clip: bool = False
    dtype: str
    shape: str
    unit: str
    scale: float
    zero: float
    range: str
    invalid: str
    description: str

    def as_json(self) -> dict[str, Any]:
        """Return what index.json says of the pass."""
        names = ("dtype", "shape", "unit", "scale", "zero", "range", "invalid", "description")
        return {"members": list(self.members), "per_clip": self.per_clip} | {n: getattr(self, n) for n in names}


_TABLE = (
    Pass(
        name="depth",
        members=("depth.png",),
        dtype="uint16",
        shape="(H, W)",
        unit="scene unit",
        scale=DEPTH_UNIT,
        zero=0,
        range="0.001 to 65.535",
        invalid="0",
        description="distance from the plane of the camera, along its viewing direction; further than 65.535 is invalid",
    ),
    Pass(
        name="normals",
        members=("normals.png",),
        dtype="uint8",
        shape="(H, W, 3)",
        unit="1",
        scale=2 / _NORMAL_STEPS,
        zero=1 + _NORMAL_STEPS / 2,
        range="-1 to 1",
        invalid="(0, 0, 0)",
        description="unit normal of the surface in camera space: x right, y up, z towards the camera",
    ),
    Pass(
        name="flow",
        members=("flow_forward.png", "flow_backward.png"),
        dtype="uint16",
        shape="(H, W, 2)",
        unit="pixel",
        scale=1 / FLOW_SCALE,
        zero=_FLOW_ZERO,
        range="-512 to 511.98",
        invalid="third channel 0",
        description="motion (x right, y down) of the point seen in a pixel to the next frame (forward; the last frame "
        "has none) and to the one before (backward; frame 0 has none); third channel 1 where valid, as KITTI",
    ),
    Pass(
        name="coordinates",
        members=("coordinates.png",),
        dtype="uint16",
        shape="(H, W, 3)",
        unit="diagonal of the model's box",
        scale=1 / _COORDINATE_STEPS,
        zero=1 + _COORDINATE_STEPS / 2,
        range="-0.5 to 0.5",
        invalid="(0, 0, 0)",
        description="place of the point seen in a pixel on its model, in the model's own axes, centre of its box at 0",
    ),
    Pass(
        name="amodal",
        members=("amodal.png",),
        dtype="uint16",
        shape="(N, H, W)",
        unit="bit set",
        scale=1,
        zero=0,
        range="ids 1 to 16",
        invalid="none",
        description="bit id-1 is set where object id would be seen if it were alone in the scene",
    ),
    Pass(
        name="tracks",
        members=("tracks.npy",),
        per_clip=True,
        dtype="float32",
        shape="(P, F, 4)",
        unit="pixel, pixel, scene unit, 0 or 1",
        scale=1,
        zero=0,
        range="any",
        invalid="NaN (behind the camera)",
        description="x, y (the centre of the top-left pixel is 0.5, 0.5), depth and whether it is visible, of points "
        'that stay on their objects; the metadata lists their objects in "tracks"',
    ),
)
PASSES: Mapping[str, Pass] = {entry.name: entry for entry in _TABLE}


def check_pass_name(name: str) -> str:
    """Return `name` if it is a pass, else raise ValueError that lists the passes."""
    if name not in PASSES:
        raise ValueError(f"there is no pass {name!r}; the passes are {', '.join(PASSES)}")
    return name


def pass_member_name(key: str, t: int, suffix: str) -> str:
    """Return the member name of frame t, e.g. `bl30k-000123.00000.depth.png`; t is ignored for a member of a clip."""
    per_clip = any(suffix in entry.members for entry in _TABLE if entry.per_clip)
    return f"{key}.{suffix}" if per_clip else f"{key}.{t:05d}.{suffix}"


def expected_pass_members(pass_name: str, key: str, num_frames: int) -> list[str]:
    """Return the member names of a clip in the tar of a pass, frame by frame.

    The last frame has no forward flow and the first no backward flow.
    """
    entry = PASSES[check_pass_name(pass_name)]
    if entry.per_clip:
        return [pass_member_name(key, 0, suffix) for suffix in entry.members]
    last = {"flow_forward.png": num_frames - 1, "flow_backward.png": num_frames}
    first = {"flow_backward.png": 1}
    return [
        pass_member_name(key, t, suffix)
        for t in range(num_frames)
        for suffix in entry.members
        if first.get(suffix, 0) <= t < last.get(suffix, num_frames)
    ]


def encode_depth(depth: np.ndarray) -> bytes:
    """Return a 16-bit PNG of depth, float32 (H, W) in scene units; what is not above 0, not finite or too far is 0."""
    _check_shape("depth", depth, 2)
    with np.errstate(invalid="ignore", over="ignore"):
        counts = np.rint(depth.astype(np.float64) / DEPTH_UNIT)
        counts = np.where((counts > 0) & (counts <= _COUNTS), counts, 0)
    return _encode_png(counts.astype(np.uint16))


def decode_depth(content: bytes) -> np.ndarray:
    """Return depth, float32 (H, W) in scene units; 0 where there is none."""
    return (_decode_png(content, np.uint16, 1) * DEPTH_UNIT).astype(np.float32)


def encode_normals(normals: np.ndarray) -> bytes:
    """Return an 8-bit PNG of unit normals, float32 (H, W, 3) in camera space; (0, 0, 0) or not finite is invalid."""
    _check_shape("normals", normals, 3, 3)
    valid = np.isfinite(normals).all(-1) & (normals != 0).any(-1)
    unit = np.clip(np.where(valid[..., None], normals, 0), -1, 1)
    counts = np.rint((unit + 1) / 2 * _NORMAL_STEPS) + 1
    return _encode_png(np.where(valid[..., None], counts, 0).astype(np.uint8))


def decode_normals(content: bytes) -> np.ndarray:
    """Return normals, float32 (H, W, 3) in camera space, each part within 1/254; (0, 0, 0) where there is none."""
    counts = _decode_png(content, np.uint8, 3)
    normals = (counts.astype(np.float32) - 1) / _NORMAL_STEPS * 2 - 1
    return np.where(counts.any(-1, keepdims=True), normals, np.float32(0))


def encode_flow(flow: np.ndarray, valid: np.ndarray) -> bytes:
    """Return a 16-bit PNG of flow as KITTI has it: R = 64 x + 2^15, G = 64 y + 2^15, B = valid.

    flow: float32 (H, W, 2), pixels, x right, y down. valid: bool (H, W). A flow that does not fit 16 bits or is not
    finite is stored as invalid; invalid pixels are (0, 0, 0).
    """
    _check_shape("flow", flow, 3, 2)
    _check_mask(valid, flow)
    with np.errstate(invalid="ignore"):
        counts = np.rint(flow * np.float32(FLOW_SCALE)) + _FLOW_ZERO
        valid = valid & ((counts >= 0) & (counts <= _COUNTS)).all(-1)
    stored = np.zeros((*valid.shape, 3), np.uint16)
    stored[..., :2][valid] = counts[valid].astype(np.uint16)
    stored[..., 2] = valid
    return _encode_png(stored)


def decode_flow(content: bytes) -> tuple[np.ndarray, np.ndarray]:
    """Return flow, float32 (H, W, 2) in pixels, 0 where invalid, and valid, bool (H, W)."""
    counts = _decode_png(content, np.uint16, 3)
    valid = counts[..., 2] > 0
    flow = (counts[..., :2].astype(np.float32) - _FLOW_ZERO) / np.float32(FLOW_SCALE)
    return np.where(valid[..., None], flow, np.float32(0)), valid


def encode_coordinates(coordinates: np.ndarray, valid: np.ndarray) -> bytes:
    """Return a 16-bit PNG of object coordinates, float32 (H, W, 3) in [-0.5, 0.5], where `valid`, bool (H, W).

    Outside of that range by more than rounding, or not finite, is stored as invalid.
    """
    _check_shape("coordinates", coordinates, 3, 3)
    _check_mask(valid, coordinates)
    with np.errstate(invalid="ignore"):
        valid = valid & (np.abs(coordinates) <= 0.5 + _COORDINATE_SLACK).all(-1)
    stored = np.zeros(coordinates.shape, np.uint16)
    inside = np.clip(coordinates[valid].astype(np.float64), -0.5, 0.5)
    stored[valid] = np.rint((inside + 0.5) * _COORDINATE_STEPS) + 1
    return _encode_png(stored)


def decode_coordinates(content: bytes) -> tuple[np.ndarray, np.ndarray]:
    """Return object coordinates, float32 (H, W, 3) in [-0.5, 0.5], 0 where invalid, and valid, bool (H, W)."""
    counts = _decode_png(content, np.uint16, 3)
    valid = counts.any(-1)
    coordinates = ((counts - 1.0) / _COORDINATE_STEPS - 0.5).astype(np.float32)
    return np.where(valid[..., None], coordinates, np.float32(0)), valid


def encode_amodal(masks: np.ndarray, ids: Sequence[int]) -> bytes:
    """Return a 16-bit PNG with bit id-1 set where the mask of that object is: masks bool (N, H, W), ids N of 1..16."""
    _check_ids(ids)
    if masks.dtype != bool or masks.ndim != 3 or len(masks) != len(ids):
        raise ValueError(f"masks are {masks.dtype} {masks.shape}, they must be bool ({len(ids)}, H, W) as the ids say")
    bits = np.zeros(masks.shape[1:], np.uint16)
    for mask, number in zip(masks, ids, strict=True):
        bits |= mask.astype(np.uint16) << np.uint16(number - 1)
    return _encode_png(bits)


def decode_amodal(content: bytes, ids: Sequence[int]) -> np.ndarray:
    """Return the masks of the objects with these ids, bool (N, H, W) in the order of `ids`."""
    _check_ids(ids)
    bits = _decode_png(content, np.uint16, 1)
    shifts = np.array([number - 1 for number in ids], np.uint16).reshape(-1, 1, 1)
    return (bits[None] >> shifts & np.uint16(1)).astype(bool)


def encode_tracks(tracks: np.ndarray) -> bytes:
    """Return the .npy of tracks, float32 (P, F, 4): x, y in pixels, depth in scene units, visible 0 or 1."""
    if tracks.dtype != np.float32 or tracks.ndim != 3 or tracks.shape[2] != 4:
        raise ValueError(f"tracks are {tracks.dtype} {tracks.shape}, they must be float32 (P, F, 4)")
    output = io.BytesIO()
    np.lib.format.write_array(output, np.ascontiguousarray(tracks), version=(1, 0), allow_pickle=False)
    return output.getvalue()


def decode_tracks(content: bytes) -> np.ndarray:
    """Return tracks, float32 (P, F, 4); NaN where a point is behind the camera."""
    try:
        tracks = np.load(io.BytesIO(content), allow_pickle=False)
    except (ValueError, EOFError, OSError) as error:
        raise ValueError(f"{len(content)} bytes cannot be decoded as tracks: {error}") from error
    if tracks.dtype != np.float32 or tracks.ndim != 3 or tracks.shape[2] != 4:
        raise ValueError(f"tracks are {tracks.dtype} {tracks.shape}, float32 (P, F, 4) is expected")
    return tracks
