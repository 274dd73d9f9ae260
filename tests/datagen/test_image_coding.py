import io

import cv2
import numpy as np
import pytest
from PIL import Image
from vosforge.datagen.imaging.images import (
    DAVIS_PALETTE,
    decode_ids,
    decode_jpeg,
    encode_jpeg,
    encode_palette_png,
    encode_png,
    overlay,
)


def grey_png(values: np.ndarray) -> bytes:
    return cv2.imencode(".png", values)[1].tobytes()


def test_ids_survive_the_palette_png_exactly():
    ids = np.arange(256, dtype=np.uint8).reshape(8, 32)
    content = encode_palette_png(ids)
    assert np.array_equal(decode_ids(content), ids)
    assert content == encode_palette_png(np.asfortranarray(ids))
    with Image.open(io.BytesIO(content)) as image:
        assert image.mode == "P"
        assert image.getpalette()[:12] == [0, 0, 0, 128, 0, 0, 0, 128, 0, 128, 128, 0]


def test_palette_is_that_of_davis():
    assert DAVIS_PALETTE[[4, 8, 21, 22, 255]].tolist() == [[0, 0, 128], [64, 0, 0], [128, 64, 128], [22] * 3, [255] * 3]


def test_jpeg_keeps_red_and_blue_in_their_places_and_is_not_subsampled():
    # Columns of one pixel in red and blue: with 4:2:0 they would smear into one purple.
    rgb = np.zeros((16, 16, 3), np.uint8)
    rgb[:, ::2, 0], rgb[:, 1::2, 2] = 255, 255
    decoded = decode_jpeg(encode_jpeg(rgb)).astype(int)
    assert decoded[:, ::2, 0].min() > 200 and decoded[:, ::2, 2].max() < 60
    assert decoded[:, 1::2, 2].min() > 200 and decoded[:, 1::2, 0].max() < 60
    with Image.open(io.BytesIO(encode_jpeg(rgb))) as image:
        assert [component[1:3] for component in image.layer] == [(1, 1)] * 3


@pytest.mark.parametrize("keep", [0, 10, 200, -1])
def test_a_cut_jpeg_is_refused(keep):
    rgb = np.random.default_rng(0).integers(0, 256, (32, 32, 3), dtype=np.uint8)
    with pytest.raises(ValueError, match="JPEG"):
        decode_jpeg(encode_jpeg(rgb)[:keep])


def test_a_cut_or_foreign_mask_is_refused():
    content = encode_palette_png(np.random.default_rng(0).integers(0, 9, (64, 64), dtype=np.uint8))
    for broken in (content[: len(content) // 2], b"", b"not a picture"):
        with pytest.raises(ValueError, match="mask picture"):
            decode_ids(broken)
    with pytest.raises(ValueError, match="mode RGB"):
        decode_ids(encode_png(np.zeros((4, 4, 3), np.uint8)))


def test_grey_masks_need_a_decision():
    values = np.array([[0, 1, 127], [128, 200, 255]], np.uint8)
    with pytest.raises(ValueError, match="palette"):
        decode_ids(grey_png(values))
    assert np.array_equal(decode_ids(grey_png(values), grey="ids"), values)
    assert decode_ids(grey_png(values), grey="binary").tolist() == [[0, 0, 0], [1, 1, 1]]


def test_overlay_tints_objects_outlines_them_and_leaves_the_rest():
    rgb = np.full((20, 20, 3), 100, np.uint8)
    ids = np.zeros((20, 20), np.uint8)
    ids[5:15, 5:15], ids[0, 0] = 1, 255
    result = overlay(rgb, ids)
    assert result[10, 10].tolist() == [114, 50, 50]
    assert result[5, 10].tolist() == [255, 255, 255]
    assert np.array_equal(result[ids != 1], rgb[ids != 1])
    assert rgb.max() == 100


def test_wrong_shapes_are_named():
    with pytest.raises(ValueError, match="float64"):
        encode_jpeg(np.zeros((4, 4, 3)))
    with pytest.raises(ValueError, match=r"\(4, 4, 1\)"):
        encode_palette_png(np.zeros((4, 4, 1), np.uint8))
    with pytest.raises(ValueError, match=r"\(2, 2\)"):
        overlay(np.zeros((4, 4, 3), np.uint8), np.zeros((2, 2), np.uint8))
