import pytest
import torch
from vosforge.models.transfer import displacements, global_transfer, local_transfer, transition_matrix


def one_hot_cells(height, width):
    """Features (1, h * w, h, w) in which every cell looks like itself alone, and strongly."""
    return (30 * torch.eye(height * width)).view(1, height * width, height, width)


def test_every_annotated_cell_is_shared_out_over_the_target():
    matrix = transition_matrix(torch.randn(2, 5, 3, 4), torch.randn(2, 5, 2, 6))
    assert matrix.shape == (2, 12, 12)
    assert torch.allclose(matrix.sum(dim=2), torch.ones(2, 12))
    assert not torch.allclose(matrix.sum(dim=1), torch.ones(2, 12), atol=1e-2)


def test_affinity_is_the_plain_inner_product_with_softmax_over_the_target():
    annotated, target = torch.randn(1, 3, 1, 2), torch.randn(1, 3, 1, 2)
    products = [(annotated[0, :, 0, 1] * target[0, :, 0, column]).sum() for column in range(2)]
    expected = torch.softmax(torch.stack(products), dim=0)
    assert torch.allclose(transition_matrix(annotated, target)[0, 1], expected)


def test_identical_frames_transfer_object_features_as_they_are():
    frame, features = one_hot_cells(3, 4), torch.randn(2, 7, 3, 4)
    assert torch.allclose(global_transfer(frame, [frame], [features]), features, atol=1e-4)


def test_moved_content_takes_its_object_features_along():
    frame, features = one_hot_cells(4, 4), torch.randn(1, 3, 4, 4)
    moved = torch.roll(frame, (1, 2), dims=(2, 3))
    assert torch.allclose(global_transfer(moved, [frame], [features]), torch.roll(features, (1, 2), (2, 3)), atol=1e-4)


def test_annotated_frames_are_averaged():
    target, frames = torch.randn(1, 4, 3, 3), [torch.randn(1, 4, 3, 3) for _ in range(3)]
    objects = [torch.randn(2, 5, 3, 3) for _ in range(3)]
    apart = [global_transfer(target, [frame], [features]) for frame, features in zip(frames, objects, strict=True)]
    assert torch.allclose(global_transfer(target, frames, objects), torch.stack(apart).mean(dim=0), atol=1e-6)


def test_an_object_is_averaged_over_the_frames_that_tell_of_it():
    target, frames = torch.randn(1, 4, 3, 3), [torch.randn(1, 4, 3, 3) for _ in range(2)]
    objects = [torch.randn(3, 5, 3, 3) for _ in range(2)]
    known = [torch.tensor([True, False, False]), torch.tensor([True, True, False])]
    found = global_transfer(target, frames, objects, known=known)
    assert torch.equal(found[0], global_transfer(target, frames, objects)[0])
    assert torch.equal(found[1], global_transfer(target, frames[1:], objects[1:])[1])
    assert not found[2].any()


def test_objects_of_a_frame_share_its_affinity():
    target, frame, objects = torch.randn(2, 4, 3, 3), torch.randn(2, 4, 3, 3), torch.randn(6, 5, 3, 3)
    together = global_transfer(target, [frame], [objects])
    repeated = [x.repeat_interleave(3, dim=0) for x in (target, frame)]
    assert torch.allclose(together, global_transfer(repeated[0], [repeated[1]], [objects]), atol=1e-6)


def test_no_annotated_frame_is_refused():
    with pytest.raises(ValueError, match="at least one"):
        global_transfer(torch.zeros(1, 2, 2, 2), [], [])


def test_local_transfer_looks_at_81_displacements_up_to_8_cells():
    found = displacements(4, 2)
    assert len(found) == 81 and len(set(found)) == 81
    assert {value for pair in found for value in pair} == {-8, -6, -4, -2, 0, 2, 4, 6, 8}


def test_local_transfer_follows_what_moves():
    height, width = 12, 16
    previous = 60 * one_hot_cells(height, width)
    mask = torch.zeros(1, 1, height, width)
    mask[:, :, 4:8, 4:8] = 1
    moved = local_transfer(torch.roll(previous, (2, 4), dims=(2, 3)), previous, mask)
    # Content that came in over the border matches nothing in reach; the rest takes its mask along.
    assert torch.allclose(moved[:, :, 2:, 4:], torch.roll(mask, (2, 4), dims=(2, 3))[:, :, 2:, 4:], atol=1e-2)


def test_local_weights_are_normalised_over_the_displacements():
    """Without any likeness every displacement counts alike: a mask of ones stays one where all 81 are in the frame."""
    features, mask = torch.zeros(1, 3, 24, 20), torch.ones(1, 1, 24, 20)
    moved = local_transfer(features, features, mask)
    assert torch.allclose(moved[:, :, 8:16, 8:12], torch.ones(1, 1, 8, 4))
    corner = 25 / 81  # a corner sees 5 x 5 of the 9 x 9
    assert torch.allclose(moved[0, 0, 0, 0], torch.tensor(corner))


def test_local_products_are_divided_by_the_channels():
    target, previous, mask = torch.randn(1, 3, 8, 8), torch.randn(1, 3, 8, 8), torch.rand(1, 1, 8, 8)
    doubled = [torch.cat([x, x], dim=1) for x in (target, previous)]
    assert torch.allclose(local_transfer(*doubled, mask), local_transfer(target, previous, mask), atol=1e-6)


def test_local_transfer_is_the_sum_written_out():
    target, previous, mask = torch.randn(1, 2, 5, 6), torch.randn(1, 2, 5, 6), torch.rand(1, 1, 5, 6)
    y, x, products, values = 3, 2, [], []
    for dy, dx in displacements(1, 2):
        inside = 0 <= y + dy < 5 and 0 <= x + dx < 6
        product = (target[0, :, y, x] * previous[0, :, y + dy, x + dx]).mean() if inside else torch.tensor(0.0)
        products.append(product)
        values.append(mask[0, 0, y + dy, x + dx] if inside else torch.tensor(0.0))
    expected = (torch.softmax(torch.stack(products), dim=0) * torch.stack(values)).sum()
    assert torch.allclose(local_transfer(target, previous, mask, reach=1)[0, 0, y, x], expected)


def test_gradients_reach_features_and_mask():
    given = [torch.randn(1, 2, 6, 6, requires_grad=True) for _ in range(2)]
    mask = torch.rand(1, 1, 6, 6, requires_grad=True)
    local_transfer(*given, mask).square().sum().backward()
    assert all(x.grad.abs().sum() > 0 for x in (*given, mask))
