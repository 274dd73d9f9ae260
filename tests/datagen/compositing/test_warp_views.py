"""Views of a picture: the fast table against direct sampling, masks and points with the picture."""

import threading

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from vosforge.datagen.augmentation.affine import centred_matrix, flip_matrix, scale_matrix, translation_matrix
from vosforge.datagen.augmentation.buffers import Buffers
from vosforge.datagen.augmentation.spline_warp import draw_spline
from vosforge.datagen.augmentation.warp import Warp, warp_views

GREY = (124, 116, 104)


def smooth_picture(height, width):
    rng = np.random.default_rng(1)
    return cv2.resize(
        rng.integers(0, 256, (height // 8, width // 8, 3), np.uint8), (width, height), interpolation=cv2.INTER_CUBIC
    )


def psnr(one, two):
    return 10 * np.log10(255**2 / np.mean((one.astype(float) - two) ** 2))


def some_warps(width=120, height=90, size=96):
    matrix = translation_matrix(-16, 0) @ scale_matrix(size / height, size / height)
    turned = matrix @ centred_matrix((width / 2, height / 2), rotation_degrees=15, scale=1.2, shear_degrees=-8)
    return [Warp(matrix=matrix), Warp(matrix=turned), Warp(matrix=turned, spline=draw_spline(np.random.default_rng(3)))]


def test_identity_gives_the_picture_back():
    rgb, mask = smooth_picture(64, 64), np.zeros((64, 64), np.uint8)
    mask[10:30, 20:50] = 255
    (view,) = warp_views(rgb, [mask], [Warp(matrix=np.eye(3))], 64, border=GREY)
    assert np.abs(view.rgb[1:-1, 1:-1].astype(int) - rgb[1:-1, 1:-1]).max() <= 3
    assert ((view.masks[0] >= 128) == (mask >= 128)).all()
    (direct,) = warp_views(rgb, [mask], [Warp(matrix=np.eye(3))], 64, border=GREY, table_scale=1)
    assert (direct.rgb == rgb).all() and (direct.masks[0] == mask).all()


def test_table_is_as_good_as_direct_bicubic_sampling():
    rgb, mask = smooth_picture(90, 120), np.zeros((90, 120), np.uint8)
    cv2.circle(mask, (60, 45), 25, 255, -1)
    fast = warp_views(rgb, [mask], some_warps(), 96, border=GREY)
    exact = warp_views(rgb, [mask], some_warps(), 96, border=GREY, table_scale=1)
    for one, two in zip(fast, exact, strict=True):
        inside = np.s_[8:-8, 8:-8]
        assert psnr(one.rgb[inside], two.rgb[inside]) > 42
        assert ((one.masks[0] >= 128) != (two.masks[0] >= 128)).mean() < 0.004


def test_mask_follows_the_picture_through_every_warp():
    rgb, mask = np.zeros((90, 120, 3), np.uint8), np.zeros((90, 120), np.uint8)
    cv2.ellipse(mask, (55, 40), (30, 18), 20, 0, 360, 255, -1)
    rgb[mask > 0] = 255
    for view in warp_views(rgb, [mask, 255 - mask], some_warps(), 96, border=(0, 0, 0)):
        assert ((view.rgb[..., 0] >= 128) != (view.masks[0] >= 128)).mean() < 0.002
        assert ((view.masks[0] >= 128) & (view.masks[1] >= 140)).mean() < 0.01


@given(st.integers(0, 1000), st.booleans())
@settings(max_examples=15, deadline=None)
def test_every_pixel_shows_the_place_that_its_point_comes_from(seed, bend):
    rng = np.random.default_rng(seed)
    spline = draw_spline(rng, displacement=0.006) if bend else None
    matrix = translation_matrix(-20, -10) @ scale_matrix(1.3, 1.3)
    matrix = matrix @ centred_matrix(
        (60, 45), rotation_degrees=rng.uniform(-20, 20), shear_degrees=rng.uniform(-10, 10)
    )
    warp = Warp(matrix=flip_matrix(128) @ matrix, spline=spline)
    places = np.mgrid[0:90, 0:120][::-1] + 0.5
    ramps = [(2 * place).astype(np.uint8) for place in places]  # a grey value says where its pixel was, twice
    (view,) = warp_views(np.zeros((90, 120, 3), np.uint8), ramps, [warp], 128, border=GREY)
    centres = np.mgrid[0:128, 0:128][::-1].reshape(2, -1).T + 0.5
    sources = warp.source_points(centres, 128)
    inside = np.all((sources > 3) & (sources < (117, 87)), axis=1)
    shown = np.stack([mask.ravel() for mask in view.masks], axis=1) / 2
    assert inside.sum() > 5000
    assert np.abs(shown - sources)[inside].max() < 0.6


def test_strong_shrinking_averages_instead_of_making_noise():
    checks = np.indices((256, 256)).sum(0) % 2 * np.uint8(255)
    rgb = cv2.merge([checks.astype(np.uint8)] * 3)
    (view,) = warp_views(rgb, [], [Warp(matrix=scale_matrix(0.25, 0.25))], 64, border=GREY)
    assert np.abs(view.rgb[2:-2, 2:-2].astype(int) - 128).max() <= 2


def test_outside_is_border_and_no_object():
    rgb, mask = np.full((40, 40, 3), 200, np.uint8), np.full((40, 40), 255, np.uint8)
    for shift in (20, 500):
        (view,) = warp_views(rgb, [mask], [Warp(matrix=translation_matrix(shift, 0))], 40, border=GREY)
        assert (view.rgb[:, : min(shift, 40) - 1] == GREY).all() and not view.masks[0][:, : min(shift, 40) - 1].any()
    assert not view.masks[0].any()


def test_mirrored_border_has_no_seam():
    rgb = smooth_picture(48, 48)
    (view,) = warp_views(rgb, [], [Warp(matrix=translation_matrix(10, 0))], 48, border=None)
    assert psnr(view.rgb[:, :9], view.rgb[:, 11:20][:, ::-1]) > 30


def test_colours_are_changed_once_for_what_is_seen():
    seen = []

    def recolour(part):
        seen.append(part.shape)
        return 255 - part

    rgb = np.full((200, 200, 3), 50, np.uint8)
    views = list(
        warp_views(rgb, [], [Warp(matrix=translation_matrix(-80, -80))] * 3, 32, border=GREY, recolour=recolour)
    )
    assert len(seen) == 1 and max(seen[0][:2]) < 60
    assert all((view.rgb == 205).all() for view in views)


def test_many_masks_are_warped_as_one_is():
    rgb, masks = smooth_picture(90, 120), [np.zeros((90, 120), np.uint8) for _ in range(3)]
    for place, mask in enumerate(masks):
        mask[10 + 20 * place : 30 + 20 * place, 30:80] = 255
    together = list(warp_views(rgb, masks, some_warps(), 96, border=GREY))
    for place, mask in enumerate(masks):
        for one, all_of_them in zip(warp_views(rgb, [mask], some_warps(), 96, border=GREY), together, strict=True):
            assert np.abs(one.masks[0].astype(int) - all_of_them.masks[place]).max() <= 2


def test_warp_without_masks_returns_none_of_them():
    (view,) = warp_views(smooth_picture(40, 40), [], [Warp(matrix=np.eye(3))], 40, border=GREY)
    assert view.masks == () and view.rgb.shape == (40, 40, 3)
    assert pytest.approx(view.rgb.mean(), abs=2) == smooth_picture(40, 40).mean()


def test_memory_used_again_changes_no_view():
    masks = [np.zeros((90, 120), np.uint8) for _ in range(2)]
    for place, mask in enumerate(masks):
        mask[10 + 20 * place : 30 + 20 * place, 30:80] = 255
    buffers = Buffers()
    for size in (96, 64, 128):
        fresh = list(warp_views(smooth_picture(90, 120), masks, some_warps(), size, border=GREY))
        again = warp_views(smooth_picture(90, 120), masks, some_warps(), size, border=GREY, buffers=buffers)
        for one, other in zip(fresh, again, strict=True):
            assert (one.rgb == other.rgb).all() and all(
                (a == b).all() for a, b in zip(one.masks, other.masks, strict=True)
            )


def test_threads_have_buffers_of_their_own():
    buffers, pieces = Buffers(), []
    pieces.append(buffers.take("a", (4, 4)))
    thread = threading.Thread(target=lambda: pieces.append(buffers.take("a", (4, 4))))
    thread.start()
    thread.join()
    assert not np.shares_memory(*pieces) and np.shares_memory(pieces[0], buffers.take("a", (2, 8)))
