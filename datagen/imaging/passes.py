"""The exact coding of passes: arrays to the bytes of members and back. H W pixels, F frames, N objects, P points.

Pictures are PNGs, lossless: decoding gives what was encoded, up to one count of 8 or 16 bits.
"""

import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import cv2
import numpy as np

from .pass_table import (
    COORDINATE_STEPS,
    DEPTH_UNIT,
    FLOW_SCALE,
    FLOW_ZERO,
    NORMAL_STEPS,
    PASSES,
    Pass,
    check_pass_name,
    expected_pass_members,
    pass_member_name,
)

__all__ = [
    "MAX_AMODAL_OBJECTS",
    "PASSES",
    "Pass",
    "check_pass_name",
    "decode_amodal",
    "decode_coordinates",
    "decode_depth",
    "decode_flow",
    "decode_member",
    "decode_normals",
    "decode_soft_mask",
    "decode_tracks",
    "encode_amodal",
    "encode_coordinates",
    "encode_depth",
    "encode_flow",
    "encode_normals",
    "encode_soft_mask",
    "encode_tracks",
    "expected_pass_members",
    "pass_member_name",
]

MAX_AMODAL_OBJECTS = 16
_COUNTS = 65535
# Rounding of single precision leaves a vertex of the box a little outside of it; what is further out is an error.
_COORDINATE_SLACK = 1e-3
_PNG_END = b"IEND\xaeB`\x82"
# Of 768x512 pixels, level 1 makes 74 KB of depth in 7 ms and 71 KB of flow in 15 ms; the default 298 KB in 6 ms and
# 233 KB in 9 ms, level 3 is a quarter smaller and slower.
_PNG_SETTINGS = (cv2.IMWRITE_PNG_COMPRESSION, 1)


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
    x, y, z = _channels(normals)
    with np.errstate(invalid="ignore"):
        valid = np.isfinite(x + y + z) & ((x != 0) | (y != 0) | (z != 0))
        counts = [np.rint(np.clip(part, -1, 1) * (NORMAL_STEPS / 2)) + (1 + NORMAL_STEPS / 2) for part in (x, y, z)]
    return _encode_colour(counts, valid, np.uint8)


def decode_normals(content: bytes) -> np.ndarray:
    """Return normals, float32 (H, W, 3) in camera space, each part within 1/254; (0, 0, 0) where there is none."""
    counts = _decode_png(content, np.uint8, 3)
    normals = (counts.astype(np.float32) - 1) / NORMAL_STEPS * 2 - 1
    return np.where(counts.any(-1, keepdims=True), normals, np.float32(0))


def encode_flow(flow: np.ndarray, valid: np.ndarray) -> bytes:
    """Return a 16-bit PNG of flow as KITTI has it: R = 64 x + 2^15, G = 64 y + 2^15, B = valid.

    flow: float32 (H, W, 2), pixels, x right, y down. valid: bool (H, W). A flow that does not fit 16 bits or is not
    finite is stored as invalid; invalid pixels are (0, 0, 0).
    """
    _check_shape("flow", flow, 3, 2)
    _check_mask(valid, flow)
    with np.errstate(invalid="ignore"):
        x, y = (np.rint(part * np.float32(FLOW_SCALE)) + np.float32(FLOW_ZERO) for part in _channels(flow))
        valid = valid & (x >= 0) & (x <= _COUNTS) & (y >= 0) & (y <= _COUNTS)
    return _encode_colour((x, y, valid), valid, np.uint16)


def decode_flow(content: bytes) -> tuple[np.ndarray, np.ndarray]:
    """Return flow, float32 (H, W, 2) in pixels, 0 where invalid, and valid, bool (H, W)."""
    counts = _decode_png(content, np.uint16, 3)
    valid = counts[..., 2] > 0
    flow = (counts[..., :2].astype(np.float32) - FLOW_ZERO) / np.float32(FLOW_SCALE)
    return np.where(valid[..., None], flow, np.float32(0)), valid


def encode_coordinates(coordinates: np.ndarray, valid: np.ndarray) -> bytes:
    """Return a 16-bit PNG of object coordinates, float32 (H, W, 3) in [-0.5, 0.5], where `valid`, bool (H, W).

    Outside of that range by more than rounding, or not finite, is stored as invalid.
    """
    _check_shape("coordinates", coordinates, 3, 3)
    _check_mask(valid, coordinates)
    with np.errstate(invalid="ignore"):
        counts = []
        for part in _channels(coordinates):
            valid = valid & (np.abs(part) <= 0.5 + _COORDINATE_SLACK)
            counts.append(np.rint((np.clip(part, -0.5, 0.5) + np.float32(0.5)) * COORDINATE_STEPS) + 1)
    return _encode_colour(counts, valid, np.uint16)


def decode_coordinates(content: bytes) -> tuple[np.ndarray, np.ndarray]:
    """Return object coordinates, float32 (H, W, 3) in [-0.5, 0.5], 0 where invalid, and valid, bool (H, W)."""
    counts = _decode_png(content, np.uint16, 3)
    valid = counts.any(-1)
    coordinates = ((counts - 1.0) / COORDINATE_STEPS - 0.5).astype(np.float32)
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


def encode_soft_mask(mask: np.ndarray) -> bytes:
    """Return an 8-bit PNG of a soft mask, floating point (H, W) in [0, 1], rounded to 1/255."""
    _check_shape("soft mask", mask, 2)
    return _encode_png(np.rint(np.clip(mask, 0, 1) * 255).astype(np.uint8))


def decode_soft_mask(content: bytes) -> np.ndarray:
    """Return a soft mask as it is stored, uint8 (H, W); 255 stands for 1."""
    return _decode_png(content, np.uint8, 1)


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


_DECODERS: Mapping[str, Callable[[bytes], Any]] = {
    "depth.png": decode_depth,
    "normals.png": decode_normals,
    "flow_forward.png": decode_flow,
    "flow_backward.png": decode_flow,
    "coordinates.png": decode_coordinates,
    "tracks.npy": decode_tracks,
    "soft.png": decode_soft_mask,
}


def decode_member(suffix: str, content: bytes, object_ids: Sequence[int]) -> Any:
    """Return what the decoder of that kind of member returns; object_ids are those of the clip, for "amodal.png"."""
    return decode_amodal(content, object_ids) if suffix == "amodal.png" else _DECODERS[suffix](content)


def _channels(values: np.ndarray) -> Iterator[np.ndarray]:
    # One at a time: 3 ms for what costs 25 ms over the last axis.
    return (values[..., channel] for channel in range(values.shape[2]))


def _encode_colour(counts: Sequence[np.ndarray], valid: np.ndarray, dtype: type) -> bytes:
    """The PNG of three counts (R, G, B), each (H, W), 0 where not valid."""
    stored = np.empty((*valid.shape, 3), dtype)
    for channel, values in enumerate(counts):
        stored[..., 2 - channel] = np.where(valid, values, 0)
    return _encode_png(stored)


def _encode_png(counts: np.ndarray) -> bytes:
    written, content = cv2.imencode(".png", counts, _PNG_SETTINGS)
    if not written:
        raise ValueError(f"OpenCV could not write a PNG of shape {counts.shape}")
    return content.tobytes()


def _decode_png(content: bytes, dtype: type, num_channels: int) -> np.ndarray:
    # libpng fills the missing rows of a cut file and only warns, so the end chunk is looked for.
    counts = None
    if content.endswith(_PNG_END):
        counts = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_UNCHANGED)
    if counts is None:
        raise ValueError(f"{len(content)} bytes cannot be decoded as a PNG")
    found = 1 if counts.ndim == 2 else counts.shape[2]
    if counts.dtype != dtype or found != num_channels:
        wanted = f"{num_channels} of {np.dtype(dtype)}"
        raise ValueError(f"the PNG has {found} channels of {counts.dtype}, {wanted} are expected")
    return cv2.cvtColor(counts, cv2.COLOR_BGR2RGB) if num_channels == 3 else counts


def _check_shape(name: str, values: np.ndarray, num_axes: int, num_channels: int = 0) -> None:
    wanted = f"(H, W, {num_channels})" if num_channels else "(H, W)"
    if values.dtype.kind != "f" or values.ndim != num_axes or (num_channels and values.shape[2] != num_channels):
        raise ValueError(f"{name}: {values.dtype} {values.shape}, floating point {wanted} is expected")


def _check_mask(valid: np.ndarray, values: np.ndarray) -> None:
    if valid.dtype != bool or valid.shape != values.shape[:2]:
        raise ValueError(f"valid is {valid.dtype} {valid.shape}, bool {values.shape[:2]} is expected")


def _check_ids(ids: Sequence[int]) -> None:
    if len(set(ids)) != len(ids) or not all(1 <= number <= MAX_AMODAL_OBJECTS for number in ids):
        raise ValueError(
            f"the amodal pass holds up to {MAX_AMODAL_OBJECTS} objects with different ids from 1 to "
            f"{MAX_AMODAL_OBJECTS}, the ids are {list(ids)}; leave the pass out or use fewer objects"
        )
