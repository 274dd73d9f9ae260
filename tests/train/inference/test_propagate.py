import numpy as np
import pytest
import torch
from vosforge.models.propagation import SIZES, PropagationNetwork
from vosforge.train.inference.memory_bank import MemoryBank
from vosforge.train.inference.propagation import PropagationSettings, propagate


@pytest.fixture
def network():
    torch.manual_seed(4)
    return PropagationNetwork(SIZES["tiny"]).eval()


@pytest.fixture
def video():
    return np.random.default_rng(0).integers(0, 256, (7, 45, 70, 3)).astype(np.uint8)


def first_mask(*ids):
    mask = np.zeros((45, 70), np.uint8)
    for number, value in enumerate(ids):
        mask[5:35, 5 + 12 * number : 15 + 12 * number] = value
    return mask


class CopyLastMask(torch.nn.Module):
    """Stands for a network: memory value = mask at stride 16, segmentation = the last memory frame's."""

    mean = torch.zeros(1, 3, 1, 1)

    def __init__(self):
        super().__init__()
        self.memorized, self.lengths, self.padded = [], [], None

    def memorize(self, rgb, mask, other_masks):
        self.memorized.append(round(rgb.max().item() * 255))
        self.padded = rgb
        return mask, mask

    def encode_query(self, rgb):
        return self

    def for_objects(self, count):
        return self

    def segment(self, query, memory_key, memory_value, top_k):
        self.lengths.append(memory_value.shape[2])
        return (memory_value[:, :, -1] - 0.5) * 20


def numbered(count):
    return [np.full((45, 70, 3), number, np.uint8) for number in range(count)]


def test_ids_come_back_as_given_at_the_resolution_of_the_video():
    first = first_mask(3, 200, 17)
    for short_side in (None, 32, 90):
        settings = PropagationSettings(short_side=short_side)
        masks = list(propagate(CopyLastMask(), numbered(4), first, settings))
        assert len(masks) == 4
        for mask in masks:
            assert mask.shape == (45, 70) and mask.dtype == np.uint8
            assert set(np.unique(mask)) == {0, 3, 17, 200}
            assert (mask == first).mean() > (0.999 if short_side is None else 0.95)


def test_memory_holds_every_fifth_frame_and_the_last():
    network = CopyLastMask()
    list(propagate(network, numbered(13), first_mask(1), PropagationSettings(memory_every=5)))
    # Frame 12 is the last: nothing follows that could read it.
    assert network.memorized == list(range(12))
    assert network.lengths == [1, 2, 2, 2, 2, 2, 3, 3, 3, 3, 3, 4]


def test_frames_are_padded_symmetrically_to_multiples_of_16():
    network = CopyLastMask()
    list(propagate(network, numbered(2), first_mask(1), PropagationSettings()))
    assert network.padded.shape == (1, 3, 48, 80)


def test_objects_in_groups_give_the_same_masks(network, video):
    first = first_mask(1, 2, 3, 4, 5)
    together = list(propagate(network, video, first, PropagationSettings()))
    grouped = list(propagate(network, video, first, PropagationSettings(objects_per_pass=2)))
    assert all((a == b).mean() > 0.999 for a, b in zip(together, grouped, strict=True))


def test_propagation_is_deterministic_and_streams(network, video):
    first = first_mask(4, 9)
    one, two = (np.stack(list(propagate(network, video, first, PropagationSettings(top_k=8)))) for _ in range(2))
    assert np.array_equal(one, two)
    assert set(np.unique(one)) <= {0, 4, 9}
    asked = []
    stream = propagate(
        network, (asked.append(i) or frame for i, frame in enumerate(video)), first, PropagationSettings()
    )
    next(stream), next(stream)
    assert asked == [0, 1]


def test_empty_first_mask_gives_empty_masks(network, video):
    masks = list(propagate(network, video, np.zeros((45, 70), np.uint8), PropagationSettings()))
    assert len(masks) == 7 and not np.any(masks)


def test_ignored_pixels_are_no_object(network, video):
    first = first_mask(255, 2)
    masks = list(propagate(network, video, first, PropagationSettings()))
    assert np.array_equal(masks[0], first)
    assert all(255 not in mask for mask in masks[1:])


def test_frame_of_another_size_is_named(network, video):
    frames = [video[0], video[1][:30]]
    with pytest.raises(ValueError, match=r"frame 1 is uint8 \(30, 70, 3\), expected uint8 \(45, 70, 3\)"):
        list(propagate(network, frames, first_mask(1), PropagationSettings()))


def test_settings_out_of_range_are_refused():
    for name in ("memory_every", "top_k", "short_side", "objects_per_pass"):
        with pytest.raises(ValueError, match=f"{name} is 0"):
            PropagationSettings(**{name: 0})


def test_bank_replaces_the_temporary_frame_and_keeps_the_first_when_full():
    bank = MemoryBank(max_frames=4)
    for number in range(12):
        entry = torch.full((1, 2, 1, 1), float(number))
        bank.add(entry, entry, permanent=number % 2 == 0)
    keys, values = bank.read()
    assert sorted(keys[0, 0, :, 0, 0].tolist()) == [0, 6, 8, 10, 11]
    assert torch.equal(keys, values) and keys[0, 0, 4, 0, 0] == 11  # the temporary frame is the last
    bank.add(torch.full((1, 2, 1, 1), 12.0), torch.full((1, 2, 1, 1), 12.0), permanent=True)
    assert sorted(bank.read()[0][0, 0, :, 0, 0].tolist()) == [0, 8, 10, 12]
    with pytest.raises(ValueError, match="max_memory_frames is 1"):
        MemoryBank(1)


def test_bank_keeps_all_frames_whose_masks_were_given():
    bank = MemoryBank(max_frames=4, num_given=2)
    for number in range(8):
        entry = torch.full((1, 2, 1, 1), float(number))
        bank.add(entry, entry, permanent=True)
    assert sorted(bank.read()[0][0, 0, :, 0, 0].tolist()) == [0, 1, 6, 7]
    with pytest.raises(ValueError, match=r"max_memory_frames is 2; at least 3 are needed"):
        MemoryBank(2, num_given=2)
