"""Samples of fusion: who plays which role, which draws are taken back, and what a crop does."""

import numpy as np
import pytest
from fusion_world import IDS, REFERENCES, SIDE, frame_of, mask_value, write_clips, write_soft_masks
from vosforge.datagen.augmentation.affine import BORDER_RGB
from vosforge.datagen.augmentation.colour import JitterRange
from vosforge.datagen.corpus.reader import Corpus
from vosforge.datagen.corpus.shards import DamagedFile
from vosforge.datagen.corpus.soft_masks import Reference
from vosforge.datagen.samples.fusion import FusionPart, FusionSampleSettings
from vosforge.datagen.samples.fusion_draws import draw_fusion, fusion_pairs
from vosforge.datagen.samples.loader import collate

PLAIN = {"crop_size": SIDE, "flip_probability": 0.0}


@pytest.fixture(scope="module")
def soft_corpus(tmp_path_factory):
    return Corpus.open(write_soft_masks(tmp_path_factory.mktemp("soft") / "corpus"))


def part_of(corpus, split="all", **settings):
    return FusionPart(corpus, settings=FusionSampleSettings(**{**PLAIN, **settings}), split=split)


def samples_of(part, count=40):
    return [part.sample(np.random.default_rng(seed), seed % len(part), 0) for seed in range(count)]


def test_each_mask_comes_from_the_interaction_of_its_role_by_id(soft_corpus):
    seen = set()
    for sample in samples_of(part_of(soft_corpus)):
        target, previous, new = sample.frames
        for number, object_id in enumerate(sample.object_ids):
            assert np.all(sample.previous[number] == mask_value(previous, object_id, target))
            assert np.all(sample.new[number] == mask_value(new, object_id, target))
            assert np.all(sample.previous_there[number] == mask_value(previous, object_id, new))
        seen |= {sample.object_ids}
    assert {1, 2} == {len(object_ids) for object_ids in seen} and set(IDS) == {i for ids in seen for i in ids}


def test_labels_are_those_of_the_ids_in_both_frames(soft_corpus):
    for sample in samples_of(part_of(soft_corpus)):
        index = int(sample.key[-6:])
        for labels, t in ((sample.labels, sample.frames[0]), (sample.labels_interaction, sample.frames[2])):
            _, ids = frame_of(index, t)
            assert [set(np.unique(ids[labels == n + 1])) for n in range(len(sample.object_ids))] == [
                {object_id} if np.any(ids == object_id) else set() for object_id in sample.object_ids
            ]
            assert np.array_equal(labels == 255, ids == 255)
        assert sample.selector.tolist() == [1, len(sample.object_ids) == 2]


def test_distances_are_fractions_of_the_way_between_the_interactions(soft_corpus):
    for sample in samples_of(part_of(soft_corpus)):
        target, previous, new = sample.frames
        expected = [abs(target - previous) / abs(new - previous), abs(target - new) / abs(new - previous)]
        assert sample.distances.tolist() == pytest.approx(expected)
    assert all(sum(sample.distances) == pytest.approx(1) for sample in samples_of(part_of(soft_corpus, between=True)))


def test_a_draw_keeps_to_what_both_references_know():
    rng, annotated = np.random.default_rng(0), np.array([0, 2, 3, 4, 6, 8, 9, 11])
    draws = [draw_fusion(rng, REFERENCES, annotated) for _ in range(400)]
    by_frame = {reference.frame: reference for reference in REFERENCES}
    for draw in filter(None, draws):
        first, second = by_frame[draw.previous], by_frame[draw.new]
        assert draw.target in annotated and draw.target not in (draw.previous, draw.new) and first is not second
        assert first.first <= draw.target <= first.last and second.first <= draw.target <= second.last
        assert first.first <= draw.new <= first.last
        assert set(draw.object_ids) <= set(first.object_ids) & set(second.object_ids)
    pairs = {(draw.previous, draw.new) for draw in draws if draw}
    assert pairs == {(0, 4), (4, 0), (0, 8), (8, 0), (4, 8), (8, 4)}


def test_a_draw_without_a_second_reference_is_none():
    rng, annotated = np.random.default_rng(0), np.arange(12)
    near = Reference(frame=0, object_ids=(3,), first=0, last=3)
    assert draw_fusion(rng, [near], annotated) is None
    others = {
        "out of reach": Reference(frame=8, object_ids=(3,), first=5, last=11),
        "of another object": Reference(frame=2, object_ids=(17,), first=0, last=11),
        "meets the first in the references alone": Reference(frame=3, object_ids=(3,), first=3, last=11),
    }
    for why, other in others.items():
        assert all(draw_fusion(rng, [near, other], annotated) is None for _ in range(30)), why


def test_masks_that_agree_are_passed_over_while_others_differ(tmp_path):
    # In clip 0 all masks are alike, in clip 1 each has its own value.
    root = write_soft_masks(tmp_path / "corpus", value=lambda index, *mask: index * mask_value(*mask))
    part = part_of(Corpus.open(root), differing=0.01)
    assert {part.sample(np.random.default_rng(seed), 0, 0).key for seed in range(20)} == {"soft-000001"}
    lenient = part_of(Corpus.open(root), max_trials=3, lenient_trials=0)
    assert lenient.sample(np.random.default_rng(0), 0, 0).key == "soft-000000"


def test_the_crop_lies_inside_the_frame_and_is_the_same_in_all(tmp_path):
    wide = Corpus.open(write_soft_masks(tmp_path / "corpus", width=96))
    lefts = set()
    for sample in samples_of(part_of(wide, jitter=JitterRange())):
        index, (target, _, new) = int(sample.key[-6:]), sample.frames
        rgb, _ = frame_of(index, target, 96)
        errors = [np.abs(sample.rgb.astype(int) - rgb[:, left : left + SIDE]).mean() for left in range(49)]
        left = int(np.argmin(errors))
        assert errors[left] < 4
        other, _ = frame_of(index, new, 96)
        assert np.abs(sample.rgb_interaction.astype(int) - other[:, left : left + SIDE]).mean() < 4
        lefts.add(left)
    assert len(lefts) > 10 and not any(np.all(sample.labels == 255) for sample in samples_of(part_of(wide)))


def test_a_frame_smaller_than_the_crop_is_padded_and_ignored_there(soft_corpus):
    sample = part_of(soft_corpus, crop_size=64).sample(np.random.default_rng(1), 0, 0)
    inside = np.zeros((64, 64), bool)
    inside[8:56, 8:56] = True
    assert np.all(sample.labels[~inside] == 255) and np.count_nonzero(sample.labels[inside] == 255) == 1
    assert np.all(sample.previous[:, ~inside] == 0) and np.all(sample.previous[0][inside] > 0)


def test_a_flip_mirrors_everything(soft_corpus):
    for seed in range(5):
        straight, mirrored = (
            part_of(soft_corpus, flip_probability=p).sample(np.random.default_rng(seed), 0, 0) for p in (0.0, 1.0)
        )
        for name in ("rgb", "rgb_interaction", "labels", "labels_interaction"):
            assert np.array_equal(getattr(straight, name)[:, ::-1], getattr(mirrored, name))


def test_the_same_generator_gives_the_same_sample_and_a_batch_has_its_fields(soft_corpus):
    part = part_of(soft_corpus)
    one, two = (part.sample(np.random.default_rng(5), 1, 0) for _ in range(2))
    fetched = part.fetch(1)(np.random.default_rng(5), 0)
    for name in one.BATCHED:
        assert np.array_equal(getattr(one, name), getattr(two, name))
        assert np.array_equal(getattr(one, name), getattr(fetched, name))
    batch = collate([one, two])
    assert tuple(batch["rgb"].shape) == tuple(batch["rgb_interaction"].shape) == (2, 3, SIDE, SIDE)
    assert tuple(batch["labels"].shape) == (2, SIDE, SIDE) and batch["labels"].max() == 255
    assert tuple(batch["previous"].shape) == (2, 2, SIDE, SIDE) and batch["previous"].max() <= 1
    assert tuple(batch["distances"].shape) == tuple(batch["selector"].shape) == (2, 2)
    assert batch["frames"].tolist() == [list(one.frames)] * 2 and batch["key"] == [one.key] * 2


def test_corpora_that_cannot_serve_are_named_with_the_way_out(tmp_path):
    clips = Corpus.open(write_clips(tmp_path / "clips"))
    with pytest.raises(ValueError, match=r"holds no soft masks.*fusion-data"):
        part_of(clips)
    lonely = Corpus.open(write_soft_masks(tmp_path / "lonely", references=REFERENCES[:1]))
    with pytest.raises(ValueError, match=r"of the 2 clips .* none has two references that know.*--separation"):
        part_of(lonely)
    # References in neighbouring frames have no frame between them.
    near = [Reference(frame=t, object_ids=(3,), first=0, last=8) for t in (0, 1)]
    close = Corpus.open(write_soft_masks(tmp_path / "close", references=near))
    assert len(part_of(close)) == 2
    with pytest.raises(ValueError, match="one object in a frame between them"):
        part_of(close, between=True)
    train_alone = Corpus.open(write_soft_masks(tmp_path / "one", num_clips=1))
    with pytest.raises(ValueError, match='no clip in its split "train"'):
        part_of(train_alone, split="train")


def test_settings_out_of_range_are_refused():
    with pytest.raises(ValueError, match="crop_size is 40"):
        FusionSampleSettings(crop_size=40)
    with pytest.raises(ValueError, match="lenient_trials 30"):
        FusionSampleSettings(lenient_trials=30)


def test_damaged_masks_are_named_by_their_shard(tmp_path):
    root = write_soft_masks(tmp_path / "corpus")
    path = root / "shards" / "clips-00000.fusion.tar"
    content = bytearray(path.read_bytes())
    content[600::512] = bytes(len(content[600::512]))
    path.write_bytes(content)
    with pytest.raises(DamagedFile, match=r"clips-00000.fusion.tar is damaged: clip soft-00000\d, object"):
        samples_of(part_of(Corpus.open(root)))


def test_pairs_are_what_draws_can_give():
    rng, annotated = np.random.default_rng(0), np.array([0, 2, 4, 5, 8, 11])
    for between in (False, True):
        drawn = [draw_fusion(rng, REFERENCES, annotated, between) for _ in range(600)]
        found = {(draw.previous, draw.new, draw.target, draw.object_ids[0]) for draw in drawn if draw}
        pairs = fusion_pairs(REFERENCES, annotated, between)
        assert found == {(p.previous, p.new, t, i) for p in pairs for t in p.targets for i in p.object_ids}


def test_a_sample_is_found_where_nearly_no_draw_gives_one(tmp_path):
    # Frame 1 alone can be fused, from frame 0 on, and there is one trial.
    references = [
        Reference(frame=0, object_ids=(3,), first=0, last=2),
        Reference(frame=2, object_ids=(3,), first=1, last=11),
    ]
    part = part_of(
        Corpus.open(write_soft_masks(tmp_path / "corpus", references=references)), max_trials=1, lenient_trials=1
    )
    assert {part.sample(np.random.default_rng(seed), 0, 0).frames for seed in range(30)} == {(1, 0, 2)}


def test_the_border_keeps_its_colour_and_does_not_count_in_the_contrast(tmp_path):
    corpus = Corpus.open(write_soft_masks(tmp_path / "corpus"))
    jitter = JitterRange(brightness=0.3, contrast=0.3, saturation=0.3)
    tight, padded = (part_of(corpus, crop_size=size, jitter=jitter, differing=0.0) for size in (SIDE, SIDE + 16))
    for seed in range(5):
        one, other = (part.sample(np.random.default_rng(seed), 0, 0) for part in (tight, padded))
        assert np.array_equal(one.rgb, other.rgb[8:-8, 8:-8])
        assert (other.rgb[:8] == BORDER_RGB).all()
