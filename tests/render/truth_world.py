"""A world that can be worked out by hand: two axis-aligned cubes before a wall, and what a ray through it meets."""

import dataclasses

import numpy as np
from moving_world import cube, still, world
from vosforge.datagen.imaging.images import decode_ids
from vosforge.datagen.imaging.passes import decode_member
from vosforge.render.camera_path import camera_intrinsics, camera_poses
from vosforge.render.trajectory import evaluate_path

WIDTH, HEIGHT, FRAMES = 96, 64, 4
ALL_PASSES = ("ids", "depth", "normals", "flow", "coordinates", "amodal", "tracks")
GATE = {"smallest_area": 1, "smallest_share": 0.0}
WALL = 12.0


def two_cubes(path, **render):
    """A near cube (1) that moves right past a far one (2) that stands; the camera moves and zooms."""
    near = cube(
        path, 1, location=tuple((x, 0.0, 0.1) for x in (-0.7, -0.55, -0.4, -0.25, -0.1)), scale=still([1.8] * 3)
    )
    far = cube(path, 2, location=still((0.5, 3.0, 0.0)), scale=still([3.0] * 3))
    spec = world([near, far], FRAMES)
    settings = dataclasses.replace(spec.render, width=WIDTH, height=HEIGHT, samples=1, passes=ALL_PASSES)
    return dataclasses.replace(spec, render=dataclasses.replace(settings, **render))


def decode(clip):
    """{suffix: {frame: decoded}} of all passes and of "ids", from ClipMembers."""
    decoded = {"ids": {}}
    for name, content in clip.members:
        if name.endswith(".png"):
            decoded["ids"][int(name.split(".")[1])] = decode_ids(content)
    for members in clip.passes.values():
        for name, content in members:
            parts = name.split(".")
            suffix, frame = ".".join(parts[-2:]), int(parts[1]) if len(parts) == 4 else 0
            decoded.setdefault(suffix, {})[frame] = decode_member(suffix, content, [1, 2])
    return decoded


class HandMade:
    """What the two cubes look like, from their numbers alone: rays against boxes and a wall."""

    def __init__(self, spec):
        self.poses = camera_poses(spec.camera, spec.num_frames)
        self.intrinsics = camera_intrinsics(spec.camera, spec.num_frames, WIDTH, HEIGHT)
        self.centres = [evaluate_path(np.array(entry.location), spec.num_frames) for entry in spec.objects]
        self.halves = [entry.scale[0][0] / np.sqrt(3) / 2 for entry in spec.objects]

    def cast(self, frame, slots=(0, 1)):
        """(ids (H, W), depth (H, W), world points (H, W, 3), world normals (H, W, 3)) of a frame."""
        pose, intrinsics = self.poses[frame], self.intrinsics[frame]
        x = (np.arange(WIDTH) + 0.5 - intrinsics[0, 2]) / intrinsics[0, 0]
        y = -(np.arange(HEIGHT) + 0.5 - intrinsics[1, 2]) / intrinsics[1, 1]
        rays = np.stack([*np.meshgrid(x, y), np.full((HEIGHT, WIDTH), -1.0)], axis=-1) @ pose[:3, :3].T
        depth = (WALL - pose[1, 3]) / rays[..., 1]
        ids, normals = np.zeros((HEIGHT, WIDTH), np.uint8), np.zeros((HEIGHT, WIDTH, 3))
        normals[..., 1] = -1.0
        for slot in slots:
            low, high = self.centres[slot][frame] - self.halves[slot], self.centres[slot][frame] + self.halves[slot]
            ends = np.stack([(low - pose[:3, 3]) / rays, (high - pose[:3, 3]) / rays])
            enter, leave = ends.min(axis=0), ends.max(axis=0)
            axis = enter.argmax(axis=-1)
            hit = (enter.max(axis=-1) < leave.min(axis=-1)) & (enter.max(axis=-1) < depth)
            ids[hit], depth[hit] = slot + 1, enter.max(axis=-1)[hit]
            normals[hit] = -(np.eye(3)[axis] * np.sign(rays))[hit]
        return ids, depth, pose[:3, 3] + rays * depth[..., None], normals
