import pytest
import torch
from vosforge.models.roi import RoiRule, guidance_box, roi_align, roi_labels, roi_paste, whole_frame

SIDE = 32
EXACT = RoiRule(scale=1.0, least_side=0.0, margin=0.0)


def guidance(rows, columns, size=(48, 64)):
    marked = torch.zeros(1, 2, *size)
    marked[0, 1, rows, columns] = 1
    return marked


def test_box_is_tight_and_every_side_is_doubled_about_its_middle():
    marked = guidance(slice(20, 30), slice(24, 40))
    assert guidance_box(marked, SIDE, EXACT).tolist() == [[20, 24, 10, 16]]
    assert guidance_box(marked, SIDE, RoiRule(least_side=0.0, margin=0.0)).tolist() == [[15, 16, 20, 32]]


def test_guidance_of_all_channels_counts_and_faint_guidance_does_not():
    marked = guidance(slice(20, 30), slice(24, 40))
    marked[0, 0, 40, 50] = 0.5
    marked[0, 0, 0, 0] = 0.48
    assert guidance_box(marked, SIDE, EXACT).tolist() == [[20, 24, 21, 27]]


@pytest.mark.parametrize("rule", [EXACT, RoiRule()])
def test_empty_guidance_and_a_neutral_mask_ask_for_the_whole_frame(rule):
    empty, neutral = torch.zeros(1, 1, 48, 64), torch.full((1, 1, 48, 64), 0.5)
    for marked in (empty, neutral):
        assert torch.equal(guidance_box(marked, SIDE, rule), whole_frame(1, (48, 64)))


def test_samples_of_a_batch_have_boxes_of_their_own():
    marked = torch.cat([guidance(slice(20, 30), slice(24, 40)), torch.zeros(1, 2, 48, 64)])
    assert guidance_box(marked, SIDE, EXACT).tolist() == [[20, 24, 10, 16], [0, 0, 48, 64]]


def test_box_at_the_border_ends_at_the_margin():
    top, left, height, width = guidance_box(guidance(slice(0, 20), slice(44, 64)), SIDE, RoiRule(margin=5)).tolist()[0]
    assert (top, left) == (-5, 34) and (top + height, left + width) == (30, 69)


def test_one_marked_pixel_gives_a_box_of_the_least_side():
    (box,) = guidance_box(guidance(slice(24, 25), slice(30, 31)), SIDE, RoiRule(scale=1.0, least_side=0.5)).tolist()
    assert box == [16.5, 22.5, 16, 16]


def test_align_of_a_box_of_whole_pixels_is_a_crop():
    image = torch.rand(1, 3, 48, 64, dtype=torch.float64)
    aligned = roi_align(image, torch.tensor([[8.0, 16.0, SIDE, SIDE]]), SIDE)
    torch.testing.assert_close(aligned, image[:, :, 8:40, 16:48])


def test_align_and_paste_of_the_whole_frame_at_its_size_change_nothing():
    image = torch.rand(2, 1, SIDE, SIDE)
    box = whole_frame(2, (SIDE, SIDE))
    torch.testing.assert_close(roi_align(image, box, SIDE), image)
    torch.testing.assert_close(roi_paste(image, box, (SIDE, SIDE)), image)


@pytest.mark.parametrize("size", [(48, 64), (17, 23), (200, 100)])
def test_a_constant_pasted_over_the_whole_frame_reaches_its_borders(size):
    pasted = roi_paste(torch.full((1, 1, SIDE, SIDE), 0.5), whole_frame(1, size), size)
    torch.testing.assert_close(pasted, torch.full((1, 1, *size), 0.5))


def test_paste_puts_a_square_into_its_box_and_zero_around_it():
    values = torch.rand(1, 2, SIDE, SIDE)
    pasted = roi_paste(values, torch.tensor([[8.0, 16.0, SIDE, SIDE]]), (48, 64))
    torch.testing.assert_close(pasted[:, :, 8:40, 16:48], values)
    pasted[:, :, 8:40, 16:48] = 0
    assert not pasted.any()


def test_box_that_sticks_out_is_cut_at_the_frame():
    box = torch.tensor([[-5.0, -5.0, 40.0, 40.0]])
    mask = torch.zeros(1, 1, 48, 64)
    mask[:, :, 4:20, 6:25] = 1
    pasted = roi_paste(roi_align(mask, box, 160), box, (48, 64))
    assert pasted.shape == mask.shape and ((pasted > 0.5) == mask.bool()).all()


def test_align_then_paste_finds_a_smooth_mask_again():
    rows, columns = torch.meshgrid(torch.arange(48.0), torch.arange(64.0), indexing="ij")
    mask = torch.exp(-((rows - 22) ** 2 + (columns - 30) ** 2) / 60)[None, None]
    box = guidance_box(mask, 64, RoiRule(least_side=0.0, margin=0.0, threshold=0.1))
    pasted = roi_paste(roi_align(mask, box, 64), box, (48, 64))
    inside = pasted > 0
    assert (pasted - mask)[inside].abs().max() < 0.02


def test_labels_take_the_nearest_pixel_and_are_ignored_off_the_frame():
    labels = torch.zeros(1, 48, 64, dtype=torch.long)
    labels[:, :10, :12] = 1
    labels[:, 20, 20] = 255
    warped = roi_labels(labels, torch.tensor([[-8.0, -8.0, SIDE, SIDE]]), SIDE, outside=255)
    assert (warped[0, :8] == 255).all() and (warped[0, :, :8] == 255).all()
    assert torch.equal(warped[0, 8:, 8:], labels[0, :24, :24])


def test_gradients_flow_through_both_warps():
    image = torch.rand(1, 1, 48, 64, requires_grad=True)
    box = torch.tensor([[8.0, 16.0, 20.0, 30.0]])
    roi_paste(roi_align(image, box, SIDE), box, (48, 64)).sum().backward()
    assert image.grad.abs().sum() > 0


@pytest.mark.parametrize("wrong", [{"threshold": 0.5}, {"scale": 0.5}, {"margin": -1}])
def test_rules_that_make_no_sense_are_refused(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        RoiRule(**wrong)
