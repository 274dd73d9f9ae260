"""Soft masks in a corpus: names, coding, and what `verify` and the writer say of wrong ones."""

import json
import pickle

import numpy as np
import pytest
from fusion_world import IDS, NUM_FRAMES, REFERENCES, frame_of, mask_value, members_of, write_soft_masks
from vosforge.datagen.corpus.description import CorpusDescription
from vosforge.datagen.corpus.reader import Corpus
from vosforge.datagen.corpus.shards import DamagedFile
from vosforge.datagen.corpus.soft_mask_reader import SoftMaskReader
from vosforge.datagen.corpus.soft_masks import Reference, references_of, soft_mask_members, split_soft_mask_name
from vosforge.datagen.imaging.passes import decode_soft_mask, encode_soft_mask
from vosforge.datagen.verify.corpus import verify
from vosforge.datagen.writing.writer import CorpusWriter, commit_part


@pytest.fixture
def soft(tmp_path):
    return write_soft_masks(tmp_path / "corpus")


def test_every_mask_is_read_by_reference_object_and_frame(soft):
    corpus = Corpus.open(soft)
    reader = pickle.loads(pickle.dumps(SoftMaskReader(corpus)))
    for key in (clip.key for clip in corpus.clips):
        assert reader.references(key) == list(REFERENCES)
        for reference in REFERENCES:
            for object_id in reference.object_ids:
                for t in reference.frames():
                    mask = reader.read(key, reference.frame, object_id, t)
                    assert mask.dtype == np.uint8 and np.all(mask == mask_value(reference.frame, object_id, t))


def test_in_the_reference_frame_the_mask_is_the_true_one(soft):
    reader = SoftMaskReader(Corpus.open(soft))
    _, ids = frame_of(0, 4)
    assert np.array_equal(reader.read("soft-000000", 4, 17, 4), np.where(ids == 17, 255, 0))


def test_masks_that_are_not_there_are_named(soft):
    reader = SoftMaskReader(Corpus.open(soft))
    for reference, object_id, t in ((0, 200, 3), (0, 3, 9), (1, 3, 2), (8, 3, 8)):
        with pytest.raises(ValueError, match=f"no soft mask of object {object_id} in frame {t}, carried from"):
            reader.read("soft-000000", reference, object_id, t)


def test_names_are_read_back_and_ordered_by_reference_object_and_frame():
    names = list(soft_mask_members("a-000001", REFERENCES))
    assert names[0] == "a-000001.00000.00003.00001.soft.png" and names == sorted(names)
    assert [split_soft_mask_name(name) for name in names[:2]] == [(0, 3, 1), (0, 3, 2)]
    assert len(names) == len(set(names)) == 2 * 8 + 3 * 11 + 2 * 11


def test_coding_rounds_to_a_255th():
    mask = np.random.default_rng(0).random((9, 7)).astype(np.float32)
    assert np.abs(decode_soft_mask(encode_soft_mask(mask)) / 255 - mask).max() <= 0.5 / 255 + 1e-6
    assert decode_soft_mask(encode_soft_mask(np.array([[-0.2, 1.2]]))).tolist() == [[0, 255]]
    with pytest.raises(ValueError, match="soft mask: uint8"):
        encode_soft_mask(np.zeros((3, 3), np.uint8))


def test_references_must_lie_within_their_frames():
    for changes in ({"first": 3}, {"last": 1}, {"object_ids": ()}):
        with pytest.raises(ValueError, match="it must lie within its frames and have an object"):
            Reference(**{"frame": 2, "object_ids": (1,), "first": 0, "last": 4, **changes})
    with pytest.raises(ValueError, match='clip a-000000 lists no references in "fusion"'):
        references_of({"key": "a-000000"})


def test_the_index_describes_the_masks_and_the_corpus_is_whole(soft):
    assert verify(soft) == []
    described = json.loads((soft / "index.json").read_text())["passes"]["fusion"]
    assert (described["dtype"], described["scale"], described["members"]) == ("uint8", 1 / 255, ["soft.png"])
    assert "fusion" in (soft / "README.md").read_text()


def test_a_clip_whose_masks_are_not_those_of_its_references_is_refused(tmp_path):
    fusion = {"references": [reference.as_json() for reference in REFERENCES]}
    masks = [(name, b"") for name in soft_mask_members("soft-000000", REFERENCES)][:-1]
    with pytest.raises(ValueError, match="pass fusion: 70 members, 71 expected"):
        commit_part(tmp_path, "soft-000000", 0, members_of("soft", 0, fusion=fusion), {}, {"fusion": masks})
    with pytest.raises(ValueError, match="lists no references"):
        commit_part(tmp_path, "soft-000000", 0, members_of("soft", 0), {}, {"fusion": masks})


def test_verify_finds_a_mask_of_another_size(tmp_path):
    fusion = {"references": [reference.as_json() for reference in REFERENCES]}
    small = [(name, encode_soft_mask(np.zeros((5, 4)))) for name in soft_mask_members("soft-000000", REFERENCES)]
    root = tmp_path / "small"
    description = CorpusDescription(name="soft", recipe="squares", seed=0, num_clips=1)
    writer = CorpusWriter(root, description)
    commit_part(root, "soft-000000", 0, members_of("soft", 0, fusion=fusion), {}, {"fusion": small})
    writer.finish()
    problems = verify(root)
    assert len(problems) == 71 and problems[0].what == "is 4x5 pixels, metadata says 48x48"


def test_changed_bytes_are_found_when_read_and_by_verify(soft):
    path = soft / "shards" / "clips-00000.fusion.tar"
    content = path.read_bytes()
    path.write_bytes(content[:530] + bytes([content[530] ^ 1]) + content[531:])
    reader = SoftMaskReader(Corpus.open(soft))
    with pytest.raises(DamagedFile, match="object 3 in frame 1, carried from frame 0: its bytes changed"):
        reader.read("soft-000000", 0, 3, 1)
    assert any("clips-00000.fusion.tar" in problem.where for problem in verify(soft))


def test_a_corpus_with_masks_still_has_its_frames(soft):
    corpus = Corpus.open(soft)
    assert corpus.clips[0].num_frames == NUM_FRAMES and corpus.clips[0].object_ids == IDS
    rgb, ids = corpus.read_frame("soft-000000", 5)
    assert rgb.shape == (48, 48, 3) and np.array_equal(ids, frame_of(0, 5)[1])
