"""Clips with ids in some frames only, as YouTube-VOS has them, and frames with instances in place of ids."""

import json

import numpy as np
import pytest
from vosforge.datagen.corpus.reader import Corpus
from vosforge.datagen.corpus.records import ids_name, metadata_name
from vosforge.datagen.samples.parts import ClipPart, usable_keys, video_step
from vosforge.datagen.samples.triplets import TripletSettings, read_triplet, sample_triplet
from vosforge.datagen.writing.writer import CorpusWriter, commit_part
from vosforge.train.batches import Source, make_part

NUM_FRAMES = 21


def write_sparse(tiny_world, root, annotated_of: dict[int, list[int]]) -> Corpus:
    """Write a corpus of clips of 21 frames; only the frames given have ids."""
    writer = CorpusWriter(root, tiny_world.description(num_clips=len(annotated_of), val_every=0))
    for index, annotated in annotated_of.items():
        key = writer.key(index)
        members = tiny_world.clip_members(index, num_frames=NUM_FRAMES)
        without = {t for t in range(NUM_FRAMES) if t not in annotated}
        metadata = json.loads(members[-1][1]) | {"unannotated_frames": sorted(without)}
        kept = [pair for pair in members[:-1] if pair[0] not in {ids_name(key, t) for t in without}]
        commit_part(root, key, index, [*kept, (metadata_name(key), json.dumps(metadata).encode())], {})
    writer.assemble_ready()
    writer.finish()
    return Corpus.open(root)


@pytest.fixture
def sparse_corpus(tiny_world, tmp_path) -> Corpus:
    return write_sparse(tiny_world, tmp_path / "sparse", {0: [0, 5, 10, 15, 20], 1: [3], 2: list(range(NUM_FRAMES))})


def test_triplets_come_from_frames_with_ids_alone(sparse_corpus):
    key = "tiny-000000"
    assert sparse_corpus.annotated_frames(key).tolist() == [0, 5, 10, 15, 20]
    assert not sparse_corpus.has_all_ids(key) and sparse_corpus.num_annotated(key) == 5
    seen = set()
    for seed in range(40):
        rng = np.random.default_rng(seed)
        seen |= set(sample_triplet(rng, sparse_corpus, key, 25, TripletSettings(crop_size=32)).frames)
    assert seen == {0, 5, 10, 15, 20}


def test_the_jump_counts_frames_of_the_video_and_not_masks(sparse_corpus):
    for jump, largest in ((1, 10), (5, 10), (10, 15)):
        drawn = [read_triplet(np.random.default_rng(n), sparse_corpus, "tiny-000000", jump)[0] for n in range(60)]
        assert max(abs(np.diff(frames)).max() for frames in drawn) == largest


def test_a_divisor_stands_for_frames_that_the_corpus_left_out(sparse_corpus):
    settings = TripletSettings(crop_size=32)
    whole, fifth = (ClipPart(sparse_corpus, settings=settings, jump_divisor=n) for n in (1, 5))
    item = fifth.keys.index("tiny-000002")
    for seed in range(20):
        drawn = fifth.sample(np.random.default_rng(seed), item, 5)
        assert drawn.frames == whole.sample(np.random.default_rng(seed), item, 1).frames
    with pytest.raises(ValueError, match="jump_divisor is 0"):
        ClipPart(sparse_corpus, settings=settings, jump_divisor=0)


def test_clips_with_too_few_masks_are_left_out_and_none_at_all_is_refused(sparse_corpus, tiny_world, tmp_path):
    assert usable_keys(sparse_corpus, "train") == ["tiny-000000", "tiny-000002"]
    first_frames_only = write_sparse(tiny_world, tmp_path / "first", {0: [0], 1: [0, 1]})
    with pytest.raises(ValueError, match=r'no clip of 3 frames or more in its split "train" \(frames without ids'):
        usable_keys(first_frames_only, "train")


def test_a_frame_without_ids_still_has_its_picture(sparse_corpus):
    assert sparse_corpus.read_rgb("tiny-000000", 3).shape == (64, 96, 3)
    with pytest.raises(ValueError, match="frame 3 of clip tiny-000000 is not annotated"):
        sparse_corpus.read_frame("tiny-000000", 3)


def test_a_whole_clip_in_memory_draws_the_same_triplets(sparse_corpus):
    part = ClipPart(sparse_corpus, settings=TripletSettings(crop_size=32))
    for item in range(len(part)):
        draw = part.fetch(item)
        for seed in range(5):
            one, other = part.sample(np.random.default_rng(seed), item, 9), draw(np.random.default_rng(seed), 9)
            assert one.frames == other.frames and np.array_equal(one.rgb, other.rgb)
            assert np.array_equal(one.labels, other.labels)


def test_the_step_of_a_video_is_the_median_gap_of_names_that_are_numbers():
    names = [f"{t:05d}" for t in (0, 5, 10, 20, 25)]
    assert video_step({"source": {"frames": names}}) == 5
    assert [video_step({"source": {"frames": found}}) for found in ([], ["00010"], ["a", "b", "c"])] == [1, 1, 1]
    assert video_step({"source": {"still": "a"}}) == video_step({}) == 1


def test_a_corpus_of_every_fifth_frame_has_the_published_gaps(tiny_world, tmp_path):
    root = tmp_path / "fifths"
    writer = CorpusWriter(root, tiny_world.description(num_clips=1, val_every=0))
    members = tiny_world.clip_members(0, num_frames=NUM_FRAMES)
    metadata = json.loads(members[-1][1]) | {"source": {"frames": [f"{5 * t:05d}" for t in range(NUM_FRAMES)]}}
    key = writer.key(0)
    commit_part(root, key, 0, [*members[:-1], (metadata_name(key), json.dumps(metadata).encode())], {})
    writer.finish()
    part = make_part("clips", Source(root, 1.0), crop_size=32, settings={"max_resamples": 0})
    for max_jump, largest in ((5, 2), (10, 3), (25, 6)):
        drawn = [part.sample(np.random.default_rng(seed), 0, max_jump).frames for seed in range(60)]
        assert max(abs(np.diff(frames)).max() for frames in drawn) == largest  # max_jump // 5 are passed over


def test_a_damaged_first_shard_does_not_keep_a_mixture_from_being_opened(tiny_corpus):
    (tiny_corpus / "shards" / "clips-00000.tar").unlink()
    assert ClipPart(Corpus.open(tiny_corpus, "skip"), settings=TripletSettings(crop_size=32)).jump_divisor == 1
