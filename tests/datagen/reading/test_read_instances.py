"""Frames whose objects overlap have instances in place of ids."""

import json

import numpy as np
import pytest

pytest.importorskip("pycocotools", reason="needs the extra coco")

from vosforge.datagen.compositing.stills import CorpusStills
from vosforge.datagen.corpus.instances import Instance, encode_instances, encode_rle
from vosforge.datagen.corpus.reader import Corpus
from vosforge.datagen.corpus.records import ids_name, instances_name, metadata_name
from vosforge.datagen.writing.writer import CorpusWriter, commit_part


@pytest.fixture
def overlapping(tiny_world, tmp_path):
    """A corpus of one clip of 8 frames, with two overlapping instances in frame 3, and their masks."""
    masks = np.zeros((2, 64, 96), bool)
    masks[0, 10:40, 10:60], masks[1, 20:50, 30:90] = True, True
    entries = [
        Instance(id=number, rle=encode_rle(mask), category="ape", is_crowd=number == 2, details={"score": 0.5})
        for number, mask in enumerate(masks, start=1)
    ]
    writer = CorpusWriter(tmp_path / "corpus", tiny_world.description(num_clips=1, val_every=0))
    key, members = writer.key(0), dict(tiny_world.clip_members(0))
    metadata = json.loads(members[metadata_name(key)]) | {"instance_frames": [3]}
    swapped = [
        (instances_name(key, 3), encode_instances(entries)) if name == ids_name(key, 3) else (name, content)
        for name, content in list(members.items())[:-1]
    ]
    commit_part(tmp_path / "corpus", key, 0, [*swapped, (metadata_name(key), json.dumps(metadata).encode())], {})
    writer.assemble_ready()
    writer.finish()
    return tmp_path / "corpus", key, masks


def test_instances_come_back_with_their_masks_and_facts(overlapping):
    root, key, masks = overlapping
    corpus = Corpus.open(root)
    read, facts = corpus.read_instances(key, 3)
    assert read.dtype == bool and np.array_equal(read, masks)
    assert facts[1] == {"id": 2, "category": "ape", "is_crowd": True, "score": 0.5}
    assert corpus.num_annotated(key) == 7 and corpus.annotated_frames(key).tolist() == [0, 1, 2, 4, 5, 6, 7]
    with pytest.raises(ValueError, match="frame 2 of clip tiny-000000 has no instances"):
        corpus.read_instances(key, 2)
    with pytest.raises(ValueError, match="frame 3 of clip tiny-000000 is not annotated"):
        corpus.read_ids(key, 3)


def test_damaged_instances_are_named(overlapping):
    root, key, _ = overlapping
    path = root / "shards/clips-00000.tar"
    content = path.read_bytes()
    path.write_bytes(content.replace(b'"category":"ape"', b'"category":"axe"'))
    with pytest.raises(
        ValueError, match=r"clips-00000\.tar is damaged: frame 3 of clip tiny-000000: its bytes changed"
    ):
        Corpus.open(root).read_instances(key, 3)


def test_stills_of_a_corpus_have_its_instances_as_ids(overlapping):
    root, key, masks = overlapping
    corpus = Corpus.open(root)
    expected = np.where(masks[0], 1, np.where(masks[1], 255, 0))  # the second is a crowd
    stills = CorpusStills(corpus)
    drawn = [stills.read(np.random.default_rng(seed), 0) for seed in range(40)]
    assert any(np.array_equal(still.ids, expected) for still in drawn)
    assert any(np.array_equal(still.ids, corpus.read_ids(key, 0)) for still in drawn)
