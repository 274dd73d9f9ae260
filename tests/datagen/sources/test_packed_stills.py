"""Stills and instances packed into a corpus and read back from it."""

import numpy as np
from instance_trees import write_coco, write_sbd, write_voc
from still_trees import duts, msra10k, read
from vosforge.datagen.corpus.instances import decode_rle
from vosforge.datagen.corpus.reader import Corpus
from vosforge.datagen.farm.farm import FarmSettings
from vosforge.datagen.sources.pack import PackJob, pack_corpus
from vosforge.datagen.sources.source import open_source
from vosforge.datagen.verify.corpus import verify

HERE = FarmSettings(executor="local")


def pack(source, out):
    return pack_corpus(PackJob(root=str(out), source=source, name="packed"), HERE)


def packed(source, out) -> Corpus:
    assert pack(source, out).missing == {}
    assert verify(out) == []
    return Corpus.open(out)


def test_stills_keep_their_bytes_masks_and_splits(tmp_path):
    duts(tmp_path / "duts")
    source = open_source("duts", tmp_path / "duts")
    corpus = packed(source, tmp_path / "out")
    assert [len(corpus.split(split)) for split in ("train", "val")] == [2, 1]
    for number, clip in enumerate(source.list_clips()):
        key, (_, frame) = f"packed-{number:06d}", read(source, clip.name)
        assert corpus.metadata(key)["source"]["clip"] == clip.name
        assert corpus.read_jpeg(key, 0) == frame.picture
        assert np.array_equal(corpus.read_ids(key, 0), frame.ids)


def test_void_borders_and_categories_of_voc_are_kept(tmp_path):
    write_voc(tmp_path / "voc")
    source = open_source("voc", tmp_path / "voc", split="val")
    corpus = packed(source, tmp_path / "out")
    _, frame = read(source, "2007_000033")
    assert (frame.ids == 255).any() and np.array_equal(corpus.read_ids("packed-000000", 0), frame.ids)
    objects = corpus.metadata("packed-000000")["objects"]
    assert [(one["id"], one["category"]) for one in objects] == [(1, "dog"), (2, "person")]


def test_overlapping_instances_of_coco_are_read_back_whole(tmp_path):
    write_coco(tmp_path / "coco")
    source = open_source("coco", tmp_path / "coco", split="train")
    corpus = packed(source, tmp_path / "out")
    _, frame = read(source, "train2017/000000000009")
    masks, facts = corpus.read_instances("packed-000000", 0)
    assert np.array_equal(masks, np.stack([decode_rle(one.rle) for one in frame.instances]))
    assert (masks[0] & masks[1]).any()
    assert [(one["id"], one["category"], one["is_crowd"]) for one in facts] == [
        (41, "dog", False),
        (40, "person", False),
        (900100000009, "person", True),
    ]
    assert corpus.metadata("packed-000000")["source"]["image_id"] == 9


def test_broken_stills_are_missing_with_their_file_and_the_others_packed(tmp_path):
    msra10k(tmp_path / "msra10k")
    (tmp_path / "msra10k" / "Imgs" / "99.png").unlink()
    report = pack(open_source("msra10k", tmp_path / "msra10k"), tmp_path / "one")
    assert report.made == 1 and "Imgs/99.png" in report.missing["packed-000001"]
    write_sbd(tmp_path / "sbd")
    (tmp_path / "sbd" / "inst" / "2008_000003.mat").write_bytes(b"MATLAB")
    report = pack(open_source("sbd", tmp_path / "sbd"), tmp_path / "two")
    assert report.made == 3 and "inst/2008_000003.mat" in report.missing["packed-000003"]
