import json

import numpy as np
import pytest
from packing import pack, packed, shard_hashes
from video_trees import bl30k, davis_2017, frame, write_palette, youtube_vos
from vosforge.datagen.corpus.reader import Corpus
from vosforge.datagen.farm.farm import FarmSettings
from vosforge.datagen.sources.source import open_source
from vosforge.datagen.verify.corpus import verify


def test_jpegs_are_stored_byte_for_byte_and_ids_as_they_are(tmp_path):
    source = open_source("davis-2017", davis_2017(tmp_path / "set"))
    corpus = packed(source, tmp_path / "out")
    metadata = corpus.metadata("davis-2017-000000")
    assert metadata["source"] == {
        "name": "davis-2017",
        "clip": "bear",
        "frames": ["00000", "00001", "00002"],
        "split": "train",
        "width": 64,
        "height": 48,
    }
    for t in range(3):
        file = tmp_path / f"set/JPEGImages/480p/bear/{t:05d}.jpg"
        assert corpus.read_jpeg("davis-2017-000000", t) == file.read_bytes()
        np.testing.assert_array_equal(corpus.read_ids("davis-2017-000000", t), frame(t, (1, 2))[1])


def test_the_splits_are_those_of_the_source(tmp_path):
    corpus = packed(open_source("davis-2017", davis_2017(tmp_path / "set")), tmp_path / "out", clips_per_shard=2)
    assert [clip.key for clip in corpus.split("train")] == ["davis-2017-000000", "davis-2017-000001"]
    assert [clip.key for clip in corpus.split("val")] == ["davis-2017-000002"]
    index = json.loads((tmp_path / "out/index.json").read_text())
    index["splits"] = {"train": index["splits"]["val"], "val": index["splits"]["train"]}
    (tmp_path / "out/index.json").write_text(json.dumps(index))
    assert [problem.what for problem in verify(tmp_path / "out")] == [
        'its split "val" is not the one that num_train = 2 makes'
    ]


def test_sparse_annotation_and_late_ids_are_kept(tmp_path):
    youtube_vos(tmp_path / "set", all_frames=True)
    source = open_source("youtube-vos", tmp_path / "set", split="train", all_frames=True)
    corpus = packed(source, tmp_path / "out")
    key = "youtube-vos-000000"
    metadata = corpus.metadata(key)
    assert metadata["unannotated_frames"] == [1, 2, 3, 4, 6, 7, 8, 9]
    assert [corpus.is_annotated(key, t) for t in (0, 1, 5)] == [True, False, True]
    assert corpus.clip(key).object_ids == (1, 4)
    late = metadata["objects"][1]
    assert (late["id"], late["category"], late["first_frame"]) == (4, "sedan", "00005")
    assert late["area"][0] == 0 and late["area"][1] is None and late["area"][5] == int((frame(5, (1, 4))[1] == 4).sum())
    assert late["box"][0] is None and late["box"][5] == [19, 19, 30, 30]


def test_ignore_regions_are_kept_and_are_no_object(tmp_path):
    davis_2017(tmp_path / "set")
    ids = frame(0, (1, 2))[1]
    ids[:, 60:] = 255
    write_palette(tmp_path / "set/Annotations/480p/bear/00000.png", ids)
    corpus = packed(open_source("davis-2017", tmp_path / "set"), tmp_path / "out")
    np.testing.assert_array_equal(corpus.read_ids("davis-2017-000000", 0), ids)
    assert corpus.clip("davis-2017-000000").object_ids == (1, 2)


def test_the_bytes_do_not_depend_on_the_workers(tmp_path):
    source = open_source("davis-2017", davis_2017(tmp_path / "set"))
    pack(source, tmp_path / "one", clips_per_shard=2)
    pack(source, tmp_path / "two", FarmSettings(executor="local", num_workers=2), clips_per_shard=2)
    assert shard_hashes(tmp_path / "one") == shard_hashes(tmp_path / "two")
    for name in ("index.json", "README.md", "preview.jpg", "assets.csv"):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes(), name


def test_larger_pictures_are_reduced_with_their_ids(tmp_path):
    source = open_source("davis-2017", davis_2017(tmp_path / "set"))
    corpus = packed(source, tmp_path / "out", short_side=24)
    clip = corpus.clips[0]
    assert (clip.width, clip.height) == (32, 24)
    assert corpus.metadata(clip.key)["source"]["width"] == 64
    rgb, ids = corpus.read_frame(clip.key, 0)
    assert rgb.shape == (24, 32, 3)
    np.testing.assert_array_equal(ids, frame(0, (1, 2))[1][1::2, 1::2])
    same = packed(source, tmp_path / "same", short_side=48)
    assert same.read_jpeg(clip.key, 0) == (tmp_path / "set/JPEGImages/480p/bear/00000.jpg").read_bytes()


def test_limit_packs_the_first_clips_alone(tmp_path):
    corpus = packed(open_source("davis-2017", davis_2017(tmp_path / "set")), tmp_path / "out", limit=1)
    assert [corpus.metadata(clip.key)["source"]["clip"] for clip in corpus.clips] == ["bear"]


@pytest.mark.slow
def test_packing_into_an_object_store_gives_the_same_bytes(tmp_path, s3_server):
    source = open_source("bl30k", bl30k(tmp_path / "set"), num_frames=0)
    pack(source, tmp_path / "out")
    url = s3_server.url_for("corpora", "packed")
    assert pack(source, url).missing == {}
    assert verify(url) == []
    assert [shard["sha256"] for shard in Corpus.open(url).index["shards"]] == shard_hashes(tmp_path / "out")
