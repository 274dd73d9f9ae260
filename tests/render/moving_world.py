"""Tiny worlds that move: specs of one or more cubes, and hand-made glTF files with a rig and with an animation."""

import base64
import json

import numpy as np
from vosforge.render.scene import (
    AssetReference,
    BackgroundSpec,
    CameraSpec,
    FloorSpec,
    LightSpec,
    ObjectSpec,
    PhysicsSpec,
    RenderSettings,
    SceneSpec,
)

BOX_CORNERS = np.array([(x, y, z) for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)], np.float32)
BOX_FACES = [(0, 1, 3, 2), (4, 6, 7, 5), (0, 4, 5, 1), (2, 3, 7, 6), (0, 2, 6, 4), (1, 5, 7, 3)]
BOX_TRIANGLES = np.array([t for a, b, c, d in BOX_FACES for t in ((a, b, c), (a, c, d))], np.uint16)


def still(point):
    return (tuple(float(value) for value in point),) * 5


def write_cube(path):
    lines = [f"v {x} {y} {z}" for x, y, z in BOX_CORNERS]
    path.write_text("\n".join(lines + ["f " + " ".join(str(i + 1) for i in face) for face in BOX_FACES]) + "\n")
    return path


def cube(path, instance_id=1, **changes):
    """One object of `write_cube`; its box diagonal is 1, so its side is 1 / sqrt(3) of its scale."""
    fields = {
        "model": AssetReference(name="cube", path=str(path)),
        "texture": None,
        "location": still((0, 0, 0)),
        "rotation": still((0, 0, 0)),
        "scale": still((1, 1, 1)),
    }
    return ObjectSpec(instance_id=instance_id, **{**fields, **changes})


def world(objects, num_frames, *, falling=False, shutter_frames=0.0):
    """A spec of these objects; with `falling`, rigid bodies over a floor at height -1."""
    ground = AssetReference(name="ground", family="stripes", seed=1)
    return SceneSpec(
        recipe="moving-world",
        index=0,
        attempt=0,
        num_frames=num_frames,
        objects=tuple(objects),
        camera=CameraSpec(
            location=tuple((x, -5.0, 0.0) for x in (0.0, 0.1, 0.2, 0.4, 0.5)),
            look_at=still((0, 3, 0)),
            fov_radians=(0.7, 0.9),
            shutter_frames=shutter_frames,
        ),
        lights=(LightSpec(location=(2.0, -9.0, 4.0), colour=(1.0, 1.0, 1.0), energy_watts=4000.0),),
        background=BackgroundSpec(
            image=ground,
            emission_strength=0.5,
            depth=12.0,
            width=24.0,
            height=16.0,
            kind="lit" if falling else "emissive",
            floor=FloorSpec(height=-1.0, texture=ground, units_per_repeat=2.0) if falling else None,
        ),
        world_colour=(0.5, 0.6, 0.6),
        world_strength=1.0,
        physics=PhysicsSpec() if falling else None,
        render=RenderSettings(width=96, height=64, samples=32, device="cpu"),
    )


class _Buffer:
    """A glTF file's binary data, one accessor after another."""

    def __init__(self):
        self.content, self.views, self.accessors = b"", [], []

    def add(self, values, kind):
        values = np.ascontiguousarray(values)
        component = {"float32": 5126, "uint16": 5123, "uint8": 5121}[values.dtype.name]
        self.views.append({"buffer": 0, "byteOffset": len(self.content), "byteLength": values.nbytes})
        self.content += values.tobytes() + bytes(-values.nbytes % 4)
        entry = {"bufferView": len(self.views) - 1, "componentType": component, "type": kind}
        flat = values.reshape(len(values), -1)
        entry |= {"count": values.size if kind == "SCALAR" else len(values)}
        if kind != "MAT4":
            bounds = flat if kind != "SCALAR" else values.reshape(-1, 1)
            entry |= {"min": bounds.min(axis=0).tolist(), "max": bounds.max(axis=0).tolist()}
        self.accessors.append(entry)
        return len(self.accessors) - 1

    def write(self, path, document):
        uri = "data:application/octet-stream;base64," + base64.b64encode(self.content).decode()
        document |= {"asset": {"version": "2.0"}, "scene": 0, "accessors": self.accessors, "bufferViews": self.views}
        document["buffers"] = [{"byteLength": len(self.content), "uri": uri}]
        path.write_text(json.dumps(document))
        return path


def write_rigged_bar(path, animated=False):
    """A bar of five boxes on top of each other, carried by three joints, one on top of the other.

    animated: the file swings the middle joint to a right angle and back within a second.
    """
    buffer, height = _Buffer(), 5
    points = np.concatenate([BOX_CORNERS * 0.5 + (0, level, 0) for level in range(height)]).astype(np.float32)
    faces = np.concatenate([BOX_TRIANGLES + 8 * level for level in range(height)]).astype(np.uint16)
    joints = np.zeros((len(points), 4), np.uint8)
    joints[:, 0] = np.clip((points[:, 1] + 0.5) // 2, 0, 2)
    weights = np.tile(np.float32([1, 0, 0, 0]), (len(points), 1))
    inverse = np.tile(np.eye(4, dtype=np.float32), (3, 1, 1))
    inverse[:, 3, 1] = [0, -2, -4]
    attributes = {
        "POSITION": buffer.add(points, "VEC3"),
        "JOINTS_0": buffer.add(joints, "VEC4"),
        "WEIGHTS_0": buffer.add(weights, "VEC4"),
    }
    primitive = {"attributes": attributes, "indices": buffer.add(faces.reshape(-1), "SCALAR")}
    document = {
        "meshes": [{"primitives": [primitive]}],
        "skins": [{"joints": [1, 2, 3], "inverseBindMatrices": buffer.add(inverse, "MAT4")}],
        "nodes": [
            {"name": "bar", "mesh": 0, "skin": 0},
            {"name": "lower", "children": [2]},
            {"name": "middle", "translation": [0, 2, 0], "children": [3]},
            {"name": "upper", "translation": [0, 2, 0]},
        ],
        "scenes": [{"nodes": [0, 1]}],
    }
    if animated:
        half = np.sqrt(0.5)
        turns = np.float32([(0, 0, 0, 1), (0, 0, half, half), (0, 0, 0, 1)])
        sampler = {
            "input": buffer.add(np.float32([0.0, 0.5, 1.0]), "SCALAR"),
            "output": buffer.add(turns, "VEC4"),
        }
        channels = [{"sampler": 0, "target": {"node": 2, "path": "rotation"}}]
        document["animations"] = [{"name": "swing", "channels": channels, "samplers": [sampler]}]
    return buffer.write(path, document)


def write_sliding_boxes(path):
    """Two boxes; the first file animation moves the second one away from the first, two units in a second."""
    buffer = _Buffer()
    primitive = {
        "attributes": {"POSITION": buffer.add(BOX_CORNERS, "VEC3")},
        "indices": buffer.add(BOX_TRIANGLES.reshape(-1), "SCALAR"),
    }
    times = buffer.add(np.float32([0.0, 1.0]), "SCALAR")
    places = buffer.add(np.float32([(4, 0, 0), (6, 0, 0)]), "VEC3")
    document = {
        "meshes": [{"primitives": [primitive]}],
        "nodes": [
            {"name": "still", "mesh": 0, "children": [1]},
            {"name": "slider", "mesh": 0, "translation": [4, 0, 0]},
        ],
        "scenes": [{"nodes": [0]}],
        "animations": [
            {
                "channels": [{"sampler": 0, "target": {"node": 1, "path": "translation"}}],
                "samplers": [{"input": times, "output": places}],
            }
        ],
    }
    return buffer.write(path, document)
