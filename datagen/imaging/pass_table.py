"""The table of passes: what each holds and how its members are named.

A pass lies in tars of its own beside the pictures (`clips-00000.depth.tar`), under the same keys. The ids are no pass:
they are in the main tar of every corpus. H W pixels, F frames, N objects, P points.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

DEPTH_UNIT = 0.001
FLOW_SCALE = 64.0
FLOW_ZERO = 2**15
COORDINATE_STEPS = 65534
NORMAL_STEPS = 254


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
        description="distance from the plane of the camera, along its viewing direction; beyond 65.535 is invalid",
    ),
    Pass(
        name="normals",
        members=("normals.png",),
        dtype="uint8",
        shape="(H, W, 3)",
        unit="1",
        scale=2 / NORMAL_STEPS,
        zero=1 + NORMAL_STEPS / 2,
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
        zero=FLOW_ZERO,
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
        scale=1 / COORDINATE_STEPS,
        zero=1 + COORDINATE_STEPS / 2,
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
"""What a renderer stores of each frame or clip, by name."""
SOFT_MASKS = Pass(
    name="fusion",
    members=("soft.png",),
    dtype="uint8",
    shape="(H, W)",
    unit="probability",
    scale=1 / 255,
    zero=0,
    range="0 to 1",
    invalid="none",
    description="masks that a propagation network carried away from a reference frame; members are named by reference "
    'frame, object id and frame, and the metadata lists the references in "fusion"',
)
STORED_PASSES: Mapping[str, Pass] = {**PASSES, SOFT_MASKS.name: SOFT_MASKS}
"""All passes that a corpus may hold: those of the renderer, and soft masks, whose members differ from clip to clip."""


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


def split_pass_member(name: str) -> tuple[int | None, str]:
    """Return (frame, suffix) of a member name that `pass_member_name` made; the frame of a clip's member is None."""
    _, *place, kind, ending = name.split(".")
    return (int(place[0]) if place else None), f"{kind}.{ending}"
