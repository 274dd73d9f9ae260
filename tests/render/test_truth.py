"""Ground truth of two cubes, against what their numbers say."""

import json

import numpy as np
import pytest

pytest.importorskip("bpy", reason="bpy is not installed (the render extra)")

from moving_world import write_cube
from truth_world import FRAMES, GATE, HEIGHT, WIDTH, HandMade, decode, two_cubes
from vosforge.render.camera_path import project_points
from vosforge.render.clip_members import render_members
from vosforge.render.truth.checks import inside_ids
from vosforge.render.truth.surface import pixel_rays

pytestmark = pytest.mark.blender


@pytest.fixture(scope="module")
def cubes(tmp_path_factory):
    """(ClipMembers, decoded passes, HandMade, metadata) of the two cubes with every pass."""
    spec = two_cubes(write_cube(tmp_path_factory.mktemp("cubes") / "cube.obj"))
    clip = render_members(spec, "cubes-000000", 0, GATE)
    return clip, decode(clip), HandMade(spec), json.loads(clip.members[-1][1])


def test_ids_and_depth_are_those_of_rays_through_the_pixel_centres(cubes):
    _, truth, by_hand, _ = cubes
    for frame in range(FRAMES):
        ids, depth, _, _ = by_hand.cast(frame)
        assert (truth["ids"][frame] != ids).mean() < 1e-3
        same = truth["ids"][frame] == ids
        np.testing.assert_allclose(truth["depth.png"][frame][same], depth[same], atol=0.0011)


def test_normals_of_axis_aligned_cubes_are_the_axes_seen_by_the_camera(cubes):
    _, truth, by_hand, _ = cubes
    for frame in range(FRAMES):
        ids, _, _, normals = by_hand.cast(frame)
        inside = inside_ids(ids)
        stored = truth["normals.png"][frame]
        difference = np.abs(stored - normals @ by_hand.poses[frame][:3, :3]).max(axis=-1)
        assert np.quantile(difference[inside], 0.99) < 0.005, "a fold within a cube may fall on the other side"
        rays = pixel_rays(HEIGHT, WIDTH, by_hand.intrinsics[frame])
        assert ((stored * rays).sum(axis=-1) < 0).all(), "every normal points towards the camera"


@pytest.mark.parametrize(("suffix", "step"), [("flow_forward.png", 1), ("flow_backward.png", -1)])
def test_flow_is_where_the_moved_cube_is_seen_by_the_moved_camera(cubes, suffix, step):
    _, truth, by_hand, _ = cubes
    assert sorted(truth[suffix]) == [frame for frame in range(FRAMES) if 0 <= frame + step < FRAMES]
    for frame, (flow, valid) in truth[suffix].items():
        ids, _, points, _ = by_hand.cast(frame)
        for slot in range(2):
            points[ids == slot + 1] += by_hand.centres[slot][frame + step] - by_hand.centres[slot][frame]
        seen = project_points(points, by_hand.poses[frame + step], by_hand.intrinsics[frame + step])[..., :2]
        columns, rows = np.meshgrid(np.arange(WIDTH) + 0.5, np.arange(HEIGHT) + 0.5)
        same = truth["ids"][frame] == ids
        assert valid.all()
        np.testing.assert_allclose(flow[same], (seen - np.stack([columns, rows], axis=-1))[same], atol=0.02)
        assert np.abs(flow[ids == 1]).max() > 1.0, "the cube moves by pixels"


def test_coordinates_are_places_on_the_normalised_model(cubes):
    _, truth, by_hand, _ = cubes
    ids, _, points, _ = by_hand.cast(1)
    coordinates, valid = truth["coordinates.png"][1]
    np.testing.assert_array_equal(valid, truth["ids"][1] > 0)
    for slot in range(2):
        own = (ids == slot + 1) & (truth["ids"][1] == slot + 1)
        wanted = (points[own] - by_hand.centres[slot][1]) / (2 * by_hand.halves[slot] * np.sqrt(3))
        np.testing.assert_allclose(coordinates[own], wanted, atol=1e-4)
    corner = 0.5 / np.sqrt(3)
    assert np.abs(coordinates[ids == 1]).max() == pytest.approx(corner, abs=1e-4)


def test_amodal_mask_of_the_hidden_cube_is_that_of_the_cube_alone(cubes):
    _, truth, by_hand, metadata = cubes
    for frame in range(FRAMES):
        near, far = truth["amodal.png"][frame]
        np.testing.assert_array_equal(near, truth["ids"][frame] == 1)
        assert (far != (by_hand.cast(frame, slots=(1,))[0] == 2)).mean() < 1e-3
        fractions = [entry["visible_fraction"][frame] for entry in metadata["objects"]]
        assert fractions[0] == 1.0
        assert fractions[1] == pytest.approx((truth["ids"][frame] == 2).sum() / far.sum(), abs=1e-3)
        assert fractions[1] < 0.95


def test_tracks_stay_on_their_points_and_know_when_they_are_hidden(cubes):
    _, truth, by_hand, metadata = cubes
    tracks, object_ids = truth["tracks.npy"][0], np.array(metadata["tracks"]["object_id"])
    assert tracks.shape == (64, FRAMES, 4) and (object_ids[:32] == 1).all() and (object_ids[32:] == 2).all()
    for frame in range(FRAMES):
        ids, depth, _, _ = by_hand.cast(frame)
        inside = inside_ids(ids)
        columns, rows = np.floor(tracks[:, frame, :2]).astype(int).T
        in_image = (columns >= 0) & (columns < WIDTH) & (rows >= 0) & (rows < HEIGHT)
        for point in np.flatnonzero(in_image):
            here = rows[point], columns[point]
            behind = tracks[point, frame, 2] - depth[here]
            if inside[here] and tracks[point, frame, 3]:
                assert ids[here] == object_ids[point] and abs(behind) < 0.2
            elif inside[here]:
                assert ids[here] != object_ids[point] or behind > 0.1
        assert not tracks[~in_image, frame, 3].any()
    assert 0.2 < tracks[:32, :, 3].mean() < 0.6, "three of the six sides of a cube are seen at most"


def test_a_visible_track_moves_with_the_flow_under_it(cubes):
    _, truth, _, _ = cubes
    tracks = truth["tracks.npy"][0]
    for frame in range(FRAMES - 1):
        flow, _ = truth["flow_forward.png"][frame]
        seen = tracks[:, frame, 3] > 0
        columns, rows = np.floor(tracks[seen, frame, :2]).astype(int).T
        moved = tracks[seen, frame + 1, :2] - tracks[seen, frame, :2]
        assert np.quantile(np.abs(moved - flow[rows, columns]), 0.9) < 0.1


def test_metadata_tells_what_was_rendered_and_how(cubes):
    clip, truth, by_hand, metadata = cubes
    for entry in metadata["objects"]:
        assert entry["area"] == [int((truth["ids"][frame] == entry["id"]).sum()) for frame in range(FRAMES)]
        assert entry["deformation"] is None and entry["distractor_of"] is None
    assert np.array(metadata["camera"]["intrinsics"]).shape == (FRAMES, 3, 3)
    np.testing.assert_allclose(metadata["camera"]["poses"], by_hand.poses, atol=1e-8)
    assert metadata["render"]["passes"] == ["ids", "depth", "normals", "flow", "coordinates", "amodal", "tracks"]
    assert metadata["render"]["engine"] == "cycles" and metadata["render"]["device"] == "cpu"
    assert metadata["surroundings"]["kind"] == "emissive" and metadata["camera"]["f_stop"] is None
    assert [entry["visible_share"] for entry in clip.statistics["objects"]] == [1.0, 1.0]
