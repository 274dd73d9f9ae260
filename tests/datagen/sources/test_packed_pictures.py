import io

import cv2
import numpy as np
import pytest
from PIL import Image
from video_trees import frame
from vosforge.datagen.imaging.images import decode_jpeg
from vosforge.datagen.sources.masks import decode_mask
from vosforge.datagen.sources.picture import reduced_size, store_picture


def saved(image: Image.Image, file_format: str, **options) -> bytes:
    output = io.BytesIO()
    image.save(output, format=file_format, **options)
    return output.getvalue()


def turned_jpeg(orientation: int) -> bytes:
    exif = Image.Exif()
    exif[274] = orientation
    return saved(Image.fromarray(frame(0)[0]), "JPEG", exif=exif, quality=95)


@pytest.mark.parametrize("mode", ["RGB", "L"])
def test_a_plain_jpeg_keeps_its_bytes(mode):
    content = saved(Image.fromarray(frame(0)[0]).convert(mode), "JPEG", progressive=True)
    stored = store_picture(content)
    assert stored.jpeg == content and stored.is_original and stored.size == (64, 48)


def test_what_follows_the_end_marker_is_cut_off():
    content = saved(Image.fromarray(frame(0)[0]), "JPEG")
    assert store_picture(content + bytes(100)).jpeg == content


@pytest.mark.parametrize("share", [0.0, 0.3, 0.9])
def test_a_picture_that_was_cut_is_refused(share):
    content = saved(Image.fromarray(frame(0)[0]), "JPEG")
    with pytest.raises(ValueError, match="bytes cannot be decoded as a picture"):
        store_picture(content[: int(len(content) * share)])


@pytest.mark.parametrize(
    ("mode", "file_format", "tolerance"),
    [("RGB", "PNG", 8), ("RGBA", "PNG", 8), ("L", "PNG", 8), ("CMYK", "JPEG", 20), ("RGB", "BMP", 8)],
)
def test_other_pictures_are_encoded_with_the_same_colours(mode, file_format, tolerance):
    image = Image.fromarray(frame(0)[0]).convert(mode)
    stored = store_picture(saved(image, file_format))
    assert not stored.is_original
    expected = np.array(image.convert("RGB"), float)
    assert np.abs(decode_jpeg(stored.jpeg) - expected).mean() < tolerance


def test_sixteen_bit_grey_keeps_its_upper_byte():
    ramp = np.tile(np.arange(0, 65536, 1024, dtype=np.uint16), (48, 1))
    rgb = decode_jpeg(store_picture(saved(Image.fromarray(ramp), "PNG")).jpeg)
    assert np.abs(rgb[..., 0].astype(int) - (ramp >> 8)).max() <= 4


@pytest.mark.parametrize("orientation", range(2, 9))
def test_an_exif_turn_is_undone_because_masks_lie_on_the_stored_pixels(orientation):
    stored = store_picture(turned_jpeg(orientation), mask_size=(64, 48))
    assert stored.size == (64, 48) and not stored.is_original
    assert np.abs(decode_jpeg(stored.jpeg).astype(int) - frame(0)[0]).mean() < 6


def test_an_exif_turn_is_followed_where_the_mask_was_drawn_on_the_turned_picture():
    content = turned_jpeg(6)
    stored = store_picture(content, mask_size=(48, 64))
    assert stored.jpeg == content and stored.size == (48, 64)
    assert decode_jpeg(stored.jpeg).shape == (64, 48, 3)
    reduced = store_picture(content, short_side=24, mask_size=(48, 64))
    assert reduced.size == (24, 32) and reduced.source_size == (48, 64)
    assert np.abs(decode_jpeg(reduced.jpeg).astype(int) - cv2.resize(decode_jpeg(content), (24, 32))).mean() < 12


def test_the_shape_is_kept_when_the_shorter_side_is_reduced():
    assert reduced_size(1280, 720, 480) == (853, 480)
    assert reduced_size(720, 1280, 480) == (480, 853)
    assert reduced_size(640, 480, 480) == (640, 480) and reduced_size(640, 360, 480) == (640, 360)


def binary_forms() -> dict[str, Image.Image]:
    mask = Image.fromarray((frame(0)[1] * 255).astype(np.uint8))
    palette = mask.convert("P")
    palette.putdata(mask.getdata())
    return {"L": mask, "RGB": mask.convert("RGB"), "1": mask.convert("1"), "LA": mask.convert("LA"), "P": palette}


@pytest.mark.parametrize("form", ["L", "RGB", "1", "LA", "P"])
def test_binary_masks_read_alike_in_whatever_mode_they_were_saved(form):
    ids = decode_mask(saved(binary_forms()[form], "PNG"), "binary")
    np.testing.assert_array_equal(ids, frame(0)[1])


def test_soft_edges_of_a_binary_mask_are_cut_at_128():
    grey = Image.fromarray(np.array([[0, 127, 128, 255]], np.uint8))
    assert decode_mask(saved(grey, "PNG"), "binary").tolist() == [[0, 0, 1, 1]]


def test_ids_are_not_guessed_from_colours():
    with pytest.raises(ValueError, match="mode RGB, a palette or 8-bit grey picture is expected"):
        decode_mask(saved(Image.fromarray(frame(0)[0]), "PNG"), "ids")
    with pytest.raises(ValueError, match="cannot be decoded as a mask"):
        decode_mask(b"no picture", "ids")
