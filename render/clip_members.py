"""One clip from its spec to the members of its tars: ground truth first, then pictures, then metadata.

Truth comes first where it is rendered apart, so that a clip which fails a check costs no picture.
"""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from ..datagen.corpus.records import ids_name, image_name, metadata_name
from ..datagen.imaging.images import decode_ids, encode_jpeg
from .checks import check_counts, check_frame, check_visibility
from .scene import SceneSpec
from .truth import checks as truth_checks
from .truth.clip import ClipTruth, MaskLog, TrackLog
from .truth.tracks import POINTS_PER_OBJECT

MASK_WINDOW_SHARE = 8
"""The window in which a mask is compared with a finer render has this share of the image along each side, so that the
finer render has as many pixels as a frame."""


@dataclass(frozen=True, kw_only=True)
class ClipMembers:
    """What is stored of a clip: (member name, bytes) of the main tar and of every pass, in tar order.

    seconds: wall-clock by kind of work: set-up, truth, amodal, pictures.
    """

    members: list[tuple[str, bytes]]
    passes: dict[str, list[tuple[str, bytes]]]
    statistics: dict
    seconds: dict[str, float]


@dataclass(kw_only=True)
class _Findings:
    """What is known of a clip besides its members."""

    masks: MaskLog
    visible_fraction: list[list[float | None]] | None = None
    track_ids: list[int] | None = None
    seconds: dict[str, float] = field(default_factory=dict)

    def count(self, kind: str, start: float) -> None:
        self.seconds[kind] = round(time.monotonic() - start, 3)


def render_members(spec: SceneSpec, key: str, seed: int, checks: dict, rejections: Sequence[str] = ()) -> ClipMembers:
    """Render, check and encode a clip.

    checks: arguments of `check_visibility`, numbers of the quality gate. rejections: reasons of earlier attempts, kept
    in the statistics. Raises RejectedScene when a frame, an object's visibility or the ground truth fails its check;
    BrokenModel or OSError for an asset that cannot be read.
    """
    from .blender.cutouts import has_cutouts
    from .blender.frames import build_scene, render_built
    from .blender.lens import needs_sharp_pass

    start = time.monotonic()
    scene = build_scene(spec)
    names = [entry.model.name for entry in spec.objects]
    findings = _Findings(masks=MaskLog([entry.instance_id for entry in spec.objects]))
    findings.count("set-up", start)
    wanted = [name for name in spec.render.passes if name != "ids"]
    passes: dict[str, list[tuple[str, bytes]]] = {}
    truth_apart = bool(wanted) or needs_sharp_pass(spec) or has_cutouts()
    if truth_apart:
        passes = _render_truth(scene, key, wanted, findings)
        check_visibility(findings.masks.areas, names, **checks)
    start, pictures = time.monotonic(), []
    for frame, (rgb, ids) in enumerate(render_built(scene, with_ids=not truth_apart)):
        check_frame(rgb, frame)
        if ids is not None:
            findings.masks.add(ids)
        pictures.append(encode_jpeg(rgb, quality=spec.render.jpeg_quality))
    findings.count("pictures", start)
    if not truth_apart:
        check_visibility(findings.masks.areas, names, **checks)
        _check_a_mask(scene, findings.masks)
    check_counts(spec.num_frames, len(pictures), len(findings.masks.pictures))
    members = []
    for frame, (picture, mask) in enumerate(zip(pictures, findings.masks.pictures, strict=True)):
        members += [(image_name(key, frame), picture), (ids_name(key, frame), mask)]
    metadata = _metadata(spec, key, seed, findings)
    members.append((metadata_name(key), json.dumps(metadata, sort_keys=True).encode()))
    return ClipMembers(
        members=members,
        passes=passes,
        statistics=_statistics(spec, findings.masks, checks, rejections),
        seconds=findings.seconds,
    )


def _render_truth(scene, key: str, wanted: Sequence[str], findings: _Findings) -> dict[str, list[tuple[str, bytes]]]:
    """Render and check all ground truth of a built scene; returns the members of the wanted passes."""
    from .blender.truth import SurfacePoints, render_surfaces, truth_renders

    start, geometry = time.monotonic(), scene.geometry()
    truth = ClipTruth(key, geometry, wanted)
    points = SurfacePoints(scene, POINTS_PER_OBJECT) if "tracks" in wanted else None
    log = TrackLog(points.object_ids, geometry) if points else None
    with truth_renders(scene):
        for frame, surface in enumerate(render_surfaces(scene)):
            findings.masks.add(surface.ids)
            truth.add(frame, surface)
            if points:
                log.add(frame, points.positions(frame), surface)
        if points:
            truth.add_tracks(log.tracks())
            findings.track_ids = points.object_ids.tolist()
        findings.count("truth", start)
        if "amodal" in wanted:
            start = time.monotonic()
            _render_amodal(scene, truth, findings)
            findings.count("amodal", start)
    _check_a_mask(scene, findings.masks)
    return truth.passes


def _render_amodal(scene, truth: ClipTruth, findings: _Findings) -> None:
    """Render every object alone through the whole clip: switching objects on and off costs more than a frame."""
    from .blender.truth import render_alone

    settings = scene.spec.render
    size, shape = settings.height * settings.width, (settings.height, settings.width)
    packed = [[np.packbits(mask) for mask in render_alone(scene, slot)] for slot in range(len(scene.spec.objects))]
    ids = [entry.instance_id for entry in scene.spec.objects]
    findings.visible_fraction = [[] for _ in ids]
    for frame in range(scene.spec.num_frames):
        masks = np.stack([np.unpackbits(row[frame], count=size).reshape(shape).astype(bool) for row in packed])
        truth.add_amodal(frame, masks, ids)
        for slot, whole in enumerate(masks.sum(axis=(1, 2)).tolist()):
            seen = findings.masks.areas[slot][frame]
            findings.visible_fraction[slot].append(round(seen / whole, 4) if whole else None)


def _check_a_mask(scene, masks: MaskLog) -> None:
    """Compare a window of the middle frame's mask with a finer render of it. Raises RejectedScene."""
    from .blender.truth import render_finer_ids, truth_renders

    frame, settings = scene.spec.num_frames // 2, scene.spec.render
    ids = decode_ids(masks.pictures[frame])
    width, height = (max(side // MASK_WINDOW_SHARE, 8) for side in (settings.width, settings.height))
    x0, y0, x1, y1 = window = truth_checks.edge_window(ids, width, height)
    with truth_renders(scene):
        finer = render_finer_ids(scene, frame, window)
    slack = truth_checks.EDGE_SLACK, truth_checks.PIXEL_SLACK
    agreement = truth_checks.mask_agreement(ids[y0:y1, x0:x1], finer, *slack)
    truth_checks.reject_bad_truth("mask", frame, agreement)


def _metadata(spec: SceneSpec, key: str, seed: int, findings: _Findings) -> dict:
    from .blender.session import blender_version, device_in_use
    from .blender.surroundings import camera_metadata

    settings, camera, background = spec.render, spec.camera, spec.background
    metadata = {
        "key": key,
        "index": spec.index,
        "attempt": spec.attempt,
        "seed": seed,
        "recipe": spec.recipe,
        "num_frames": spec.num_frames,
        "width": settings.width,
        "height": settings.height,
        "objects": [
            {
                "id": entry.instance_id,
                "asset": entry.model.name,
                "texture": entry.texture.name if entry.texture else None,
                "area": findings.masks.areas[slot],
                "box": findings.masks.boxes[slot],
                "deformation": entry.deformation.kind if entry.deformation else None,
                "distractor_of": entry.distractor_of,
            }
            for slot, entry in enumerate(spec.objects)
        ],
        "background": None if background.kind == "environment" else background.image.name,
        "surroundings": {
            "kind": background.kind,
            "floor": background.floor.texture.name if background.floor else None,
            "environment": spec.environment.image.name if spec.environment else None,
        },
        "camera": camera_metadata(spec)
        | {
            "shutter_frames": camera.shutter_frames,
            "f_stop": camera.lens.f_stop if camera.lens else None,
            "focus_id": camera.lens.focus_id if camera.lens else None,
            "shake_waves": len(camera.shake),
        },
        "physics": spec.physics is not None,
        "render": {
            "samples": settings.samples,
            "denoise": settings.denoise,
            "engine": settings.engine,
            "device": device_in_use().split(":")[0],
            "blender": blender_version(),
            "render_seed": spec.render_seed,
            "passes": list(settings.passes),
        },
        "unannotated_frames": [],
    }
    for slot, fractions in enumerate(findings.visible_fraction or ()):
        metadata["objects"][slot]["visible_fraction"] = fractions
    if findings.track_ids is not None:
        metadata["tracks"] = {"object_id": findings.track_ids}
    return metadata


def _statistics(spec: SceneSpec, masks: MaskLog, checks: dict, rejections: Sequence[str]) -> dict:
    images = [*(entry.texture for entry in spec.objects), *(entry.model for entry in spec.objects)]
    images.append(spec.background.image if spec.background.kind != "environment" else None)
    images.append(spec.background.floor.texture if spec.background.floor else None)
    images.append(spec.environment.image if spec.environment else None)
    return {
        "num_frames": spec.num_frames,
        "width": spec.render.width,
        "height": spec.render.height,
        "attempt": spec.attempt,
        "rejections": list(rejections),
        "assets": sorted({image.name for image in images if image is not None}),
        "objects": [
            {
                "id": entry.instance_id,
                "asset": entry.model.name,
                "mean_area": float(np.mean(masks.areas[slot])),
                "visible_share": float(np.mean(np.array(masks.areas[slot]) >= checks["smallest_area"])),
            }
            for slot, entry in enumerate(spec.objects)
        ],
    }
