import zlib

import numpy as np
import pytest
from vosforge.datagen.imaging.passes import (
    PASSES,
    decode_amodal,
    decode_coordinates,
    decode_depth,
    decode_flow,
    decode_normals,
    decode_tracks,
    encode_amodal,
    encode_coordinates,
    encode_depth,
    encode_flow,
    encode_normals,
    encode_tracks,
    expected_pass_members,
    pass_member_name,
)

SHAPE = (30, 50)


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(3)


def test_depth_comes_back_within_half_a_count(rng):
    depth = rng.uniform(0.01, 65.5, SHAPE).astype(np.float32)
    read = decode_depth(encode_depth(depth))
    assert read.dtype == np.float32 and abs(read - depth).max() <= 0.00051
    assert np.array_equal(decode_depth(encode_depth(read)), read)


def test_depth_without_a_value_or_too_far_is_zero():
    depth = np.array([[0, -1, np.inf, -np.inf], [np.nan, 1e20, 65.536, 65.535]], np.float32)
    assert decode_depth(encode_depth(depth)).tolist() == [[0] * 4, [0, 0, 0, pytest.approx(65.535)]]


def test_normals_come_back_within_a_step_and_none_stays_none(rng):
    normals = rng.normal(size=(*SHAPE, 3)).astype(np.float32)
    normals /= np.linalg.norm(normals, axis=-1, keepdims=True)
    normals[0, 0], normals[0, 1], normals[0, 2] = 0, np.nan, (0, 0, 1)
    read = decode_normals(encode_normals(normals))
    assert read[0, :3].tolist() == [[0, 0, 0], [0, 0, 0], [0, 0, 1]]
    assert abs(read - normals)[1:].max() <= 1 / 254 + 1e-6
    assert np.array_equal(decode_normals(encode_normals(read)), read)


def test_flow_comes_back_within_half_a_count_with_its_validity(rng):
    flow, valid = rng.uniform(-511, 511, (*SHAPE, 2)).astype(np.float32), rng.random(SHAPE) < 0.7
    read, read_valid = decode_flow(encode_flow(flow, valid))
    assert np.array_equal(read_valid, valid)
    assert abs(read - flow)[valid].max() <= 1 / 128 and not read[~valid].any()


def test_flow_that_does_not_fit_is_invalid():
    flow = np.array([[[-512, 0], [-512.1, 0], [0, 511.98]], [[0, 512], [np.nan, 0], [np.inf, 0]]], np.float32)
    read, valid = decode_flow(encode_flow(flow, np.ones((2, 3), bool)))
    assert valid.tolist() == [[True, False, True], [False, False, False]]
    assert read[0, 0].tolist() == [-512, 0]


def test_flow_is_stored_as_kitti_stores_it():
    content = encode_flow(np.array([[[1.5, -2]]], np.float32), np.ones((1, 1), bool))
    # Without a PNG library, which would be the one that wrote it: one chunk, one filter byte, three 16-bit channels.
    start = content.index(b"IDAT")
    size = int.from_bytes(content[start - 4 : start], "big")
    pixel = np.frombuffer(zlib.decompress(content[start + 4 : start + 4 + size])[1:], ">u2")
    assert pixel.tolist() == [2**15 + 96, 2**15 - 128, 1]


def test_coordinates_come_back_and_the_edges_are_exact(rng):
    coordinates, valid = rng.uniform(-0.5, 0.5, (*SHAPE, 3)).astype(np.float32), rng.random(SHAPE) < 0.7
    coordinates[0, 0], coordinates[0, 1], coordinates[0, 2], valid[0, :5] = -0.5, 0.5, 0.5001, True
    coordinates[0, 3], coordinates[0, 4] = 0.6, np.nan
    read, read_valid = decode_coordinates(encode_coordinates(coordinates, valid))
    assert read[0, :3, 0].tolist() == [-0.5, 0.5, 0.5] and not read_valid[0, 3:5].any()
    assert np.array_equal(read_valid[1:], valid[1:])
    assert abs(read - coordinates)[1:][valid[1:]].max() <= 1e-5 and not read[~read_valid].any()


def test_amodal_masks_overlap_and_keep_their_ids(rng):
    ids = [1, 16, 7]
    masks = rng.random((3, *SHAPE)) < 0.5
    content = encode_amodal(masks, ids)
    assert np.array_equal(decode_amodal(content, ids), masks)
    assert np.array_equal(decode_amodal(content, [7, 2]), [masks[2], np.zeros(SHAPE, bool)])


@pytest.mark.parametrize("ids", [[0], [17], [1, 1], list(range(1, 18))])
def test_amodal_refuses_ids_that_do_not_fit(ids):
    with pytest.raises(ValueError, match="from 1 to 16"):
        encode_amodal(np.zeros((len(ids), 2, 2), bool), ids)


def test_tracks_come_back_with_their_nan(rng):
    tracks = rng.normal(size=(5, 4, 4)).astype(np.float32)
    tracks[2, 1] = np.nan
    assert np.array_equal(decode_tracks(encode_tracks(tracks)), tracks, equal_nan=True)
    assert decode_tracks(encode_tracks(tracks[:0])).shape == (0, 4, 4)


def test_the_same_values_give_the_same_bytes(rng):
    depth = rng.uniform(0, 9, SHAPE).astype(np.float32)
    assert encode_depth(depth) == encode_depth(np.asfortranarray(depth))


@pytest.mark.parametrize("cut", [1, 20, 200])
def test_a_cut_member_is_an_error(rng, cut):
    depth = encode_depth(rng.uniform(0, 9, SHAPE).astype(np.float32))
    with pytest.raises(ValueError, match="cannot be decoded as a PNG"):
        decode_depth(depth[:-cut])
    with pytest.raises(ValueError, match="tracks"):
        decode_tracks(encode_tracks(np.zeros((2, 9, 4), np.float32))[:-cut])


def test_a_member_of_another_kind_or_shape_is_an_error():
    depth = encode_depth(np.ones((4, 4), np.float32))
    with pytest.raises(ValueError, match="1 channels of uint16, 3 of uint8"):
        decode_normals(depth)
    for wrong in (np.ones((4, 4), np.uint16), np.ones((4, 4, 1), np.float32)):
        with pytest.raises(ValueError, match="is expected"):
            encode_depth(wrong)
    with pytest.raises(ValueError, match=r"bool \(2, 2\)"):
        encode_flow(np.zeros((2, 2, 2), np.float32), np.ones((2, 3), bool))


def test_every_pass_names_its_members():
    assert pass_member_name("a-000001", 7, "depth.png") == "a-000001.00007.depth.png"
    assert expected_pass_members("tracks", "a", 9) == ["a.tracks.npy"]
    assert expected_pass_members("flow", "a", 3) == [
        "a.00000.flow_forward.png",
        "a.00001.flow_forward.png",
        "a.00001.flow_backward.png",
        "a.00002.flow_backward.png",
    ]
    assert expected_pass_members("flow", "a", 1) == []
    for name in PASSES:
        assert len(set(expected_pass_members(name, "a", 4))) == {"tracks": 1, "flow": 6}.get(name, 4)
    with pytest.raises(ValueError, match="no pass 'colour'; the passes are depth"):
        expected_pass_members("colour", "a", 1)
