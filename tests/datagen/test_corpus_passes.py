import json
import pickle
import tarfile

import cv2
import numpy as np
import pytest
from vosforge.datagen.cli import main
from vosforge.datagen.corpus.reader import Corpus
from vosforge.datagen.corpus.shards import DamagedFile
from vosforge.datagen.imaging.passes import PASSES, decode_depth, decode_flow, encode_depth
from vosforge.datagen.verify.corpus import verify
from vosforge.datagen.writing.writer import CorpusWriter, commit_part

ALL = tuple(PASSES)


@pytest.fixture(scope="module")
def passes_corpus(tmp_path_factory, tiny_world):
    """A corpus of 3 clips in 2 shards with every pass; not to be changed."""
    return tiny_world.write(tmp_path_factory.mktemp("passes") / "corpus", passes=ALL, num_clips=3)


@pytest.fixture
def small_corpus(tmp_path, tiny_world):
    """A corpus of one clip with depth, flow and tracks; free to be damaged."""
    return tiny_world.write(tmp_path / "corpus", passes=("depth", "flow", "tracks"), num_clips=1, val_every=0)


def problems(root) -> str:
    return "\n".join(str(problem) for problem in verify(root))


def test_every_pass_comes_back_as_it_was_committed(passes_corpus, tiny_world):
    corpus = Corpus.open(passes_corpus)
    assert list(corpus.passes) == list(ALL)
    for clip in corpus.clips:
        stored = {name: dict(members) for name, members in tiny_world.clip_passes(clip.index, ALL).items()}
        for t in (0, 3, 7):
            depth = decode_depth(stored["depth"][f"{clip.key}.{t:05d}.depth.png"])
            assert np.array_equal(corpus.read_pass(clip.key, t, "depth"), depth)
            assert corpus.read_pass(clip.key, t, "normals").shape == (64, 96, 3)
            assert corpus.read_pass(clip.key, t, "coordinates")[1].dtype == bool
            assert corpus.read_pass(clip.key, t, "amodal").shape == (len(clip.object_ids), 64, 96)
        flow, valid = corpus.read_pass(clip.key, 7, "flow_backward")
        expected = decode_flow(stored["flow"][f"{clip.key}.00007.flow_backward.png"])
        assert np.array_equal(flow, expected[0]) and np.array_equal(valid, expected[1])
        assert corpus.read_tracks(clip.key).shape == (4, 8, 4)
    copy = pickle.loads(pickle.dumps(corpus))
    assert np.array_equal(copy.read_pass(clip.key, 2, "depth"), corpus.read_pass(clip.key, 2, "depth"))


def test_a_corpus_with_passes_is_whole_and_its_index_describes_them(passes_corpus):
    assert verify(passes_corpus) == []
    index = json.loads((passes_corpus / "index.json").read_text())
    assert index["passes"]["depth"]["dtype"] == "uint16" and index["passes"]["depth"]["scale"] == 0.001
    assert index["shards"][1]["passes"]["flow"]["name"] == "clips-00001.flow.tar"
    assert not (passes_corpus / "parts").exists()
    with tarfile.open(passes_corpus / "shards/clips-00000.flow.tar") as archive:
        names = archive.getnames()
    assert len(names) == 2 * 14 and names[:2] == [
        "tiny-000000.00000.flow_forward.png",
        "tiny-000000.00001.flow_forward.png",
    ]
    text = (passes_corpus / "README.md").read_text()
    assert "## Passes" in text and "| depth | `depth.png` | uint16 | (count - 0) * 0.001 |" in text


def test_passes_change_nothing_in_the_main_shards(passes_corpus, tmp_path, tiny_world):
    plain = tiny_world.write(tmp_path / "plain", num_clips=3)
    index = json.loads((plain / "index.json").read_text())
    assert "passes" not in index and "passes" not in index["shards"][0]
    assert "passes" not in json.loads((plain / "shards/clips-00001.json").read_text())
    some = tiny_world.write(tmp_path / "some", passes=("depth",), num_clips=3, order=[2, 1, 0])
    for shard in index["shards"]:
        assert (plain / "shards" / shard["name"]).read_bytes() == (some / "shards" / shard["name"]).read_bytes()
        name = shard["name"].replace(".tar", ".depth.tar")
        assert (some / "shards" / name).read_bytes() == (passes_corpus / "shards" / name).read_bytes()


def test_what_cannot_be_read_is_said(passes_corpus, tiny_corpus):
    corpus = Corpus.open(passes_corpus)
    key = corpus.clips[0].key
    with pytest.raises(ValueError, match=r"frame 7 .* no flow_forward"):
        corpus.read_pass(key, 7, "flow_forward")
    with pytest.raises(ValueError, match=r"frame 0 .* no flow_backward"):
        corpus.read_pass(key, 0, "flow_backward")
    with pytest.raises(ValueError, match="'flow'; there are depth, normals, flow_forward"):
        corpus.read_pass(key, 0, "flow")
    with pytest.raises(ValueError, match="no frame 8"):
        corpus.read_pass(key, 8, "depth")
    with pytest.raises(ValueError, match="without the pass 'depth'"):
        Corpus.open(tiny_corpus).read_pass("tiny-000000", 0, "depth")
    assert Corpus.open(tiny_corpus).passes == {}


def test_members_that_are_not_those_of_the_pass_are_refused(tmp_path, tiny_world):
    CorpusWriter(tmp_path, tiny_world.description())
    passes = tiny_world.clip_passes(0, ("depth",))
    for wrong in ({"depth": passes["depth"][1:]}, {"flow": passes["depth"]}):
        with pytest.raises(ValueError, match="first difference is member"):
            commit_part(tmp_path, "tiny-000000", 0, tiny_world.clip_members(0), {}, wrong)
    with pytest.raises(ValueError, match="no pass 'heat'"):
        commit_part(tmp_path, "tiny-000000", 0, tiny_world.clip_members(0), {}, {"heat": []})
    assert not list((tmp_path / "parts").iterdir())


def test_a_part_lacking_a_pass_tar_is_not_done(tmp_path, tiny_world):
    writer = CorpusWriter(tmp_path, tiny_world.description(num_clips=1))
    tiny_world.commit(tmp_path, 0, ("depth", "normals"))
    assert writer.done(0)
    path = tmp_path / "parts/tiny-000000.normals.tar"
    path.write_bytes(path.read_bytes()[:-512])
    assert not writer.done(0) and writer.waiting() == [0]
    path.unlink()
    assert writer.assemble_ready() == [] and writer.waiting() == [0]
    tiny_world.commit(tmp_path, 0, ("depth", "normals"))
    path.write_bytes(path.read_bytes()[:-512] + b"1" * 512)
    with pytest.raises(DamagedFile, match="normals"):
        writer.assemble_ready()
    assert not list((tmp_path / "parts").iterdir()) and not (tmp_path / "shards/clips-00000.json").exists()


def test_a_shard_that_is_built_again_keeps_its_passes(tmp_path, tiny_world):
    whole = tiny_world.write(tmp_path / "whole", passes=("depth", "flow"), num_clips=2)
    root = tmp_path / "late"
    writer = CorpusWriter(root, tiny_world.description(num_clips=2))
    tiny_world.commit(root, 1, ("depth", "flow"))
    writer.finish({0: "crashed"})
    assert [str(problem) for problem in verify(root)] == ["tiny-000000: is missing: crashed"]
    writer = CorpusWriter(root, tiny_world.description(num_clips=2))
    tiny_world.commit(root, 0, ("depth", "flow"))
    writer.finish()
    for name in ("clips-00000.tar", "clips-00000.depth.tar", "clips-00000.flow.tar", "clips-00000.json"):
        assert (root / "shards" / name).read_bytes() == (whole / "shards" / name).read_bytes()


def test_a_dropped_clip_is_waiting_and_its_neighbours_stay(tmp_path, tiny_world):
    root = tiny_world.write(tmp_path, passes=("depth",), num_clips=3)
    whole = {path.name: path.read_bytes() for path in (root / "shards").iterdir()}
    writer = CorpusWriter(root, tiny_world.description(num_clips=3))
    assert list(writer.clip_records()) == [(0, {"objects": 2}), (1, {"objects": 3}), (2, {"objects": 2})]
    writer.drop(1)
    assert writer.waiting() == [1] and not writer.is_finished() and not (root / "index.json").exists()
    assert list(writer.clip_records()) == [(2, {"objects": 2}), (0, {"objects": 2})]
    writer.drop(0)
    assert writer.waiting() == [0, 1] and list((root / "parts").iterdir()) == []
    for index in (1, 0):
        tiny_world.commit(root, index, ("depth",))
    writer.finish()
    assert {path.name: path.read_bytes() for path in (root / "shards").iterdir()} == whole


def test_a_shard_whose_pass_was_cut_is_made_again(tmp_path, tiny_world):
    root = tiny_world.write(tmp_path, passes=("depth",), num_clips=3)
    path = root / "shards/clips-00001.depth.tar"
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(ValueError, match=r"clips-00001\.depth\.tar has \d+ bytes"):
        Corpus.open(root)
    writer = CorpusWriter(root, tiny_world.description(num_clips=3))
    assert not writer.is_finished() and writer.waiting() == [2]
    tiny_world.commit(root, 2, ("depth",))
    writer.finish()
    assert verify(root) == []


def test_verify_finds_damage_in_passes(small_corpus):
    depth, flow = small_corpus / "shards/clips-00000.depth.tar", small_corpus / "shards/clips-00000.flow.tar"
    content = bytearray(depth.read_bytes())
    content[600] ^= 1
    depth.write_bytes(content)
    flow.unlink()
    found = problems(small_corpus)
    assert "shards/clips-00000.depth.tar: its SHA-256" in found
    assert "tiny-000000.00000.depth.png" in found and "shards/clips-00000.flow.tar: is missing" in found
    assert "tracks" not in found


def test_verify_finds_a_wrong_description_of_a_pass(small_corpus):
    index = json.loads((small_corpus / "index.json").read_text())
    index["passes"]["depth"]["scale"] = 1.0
    del index["shards"][0]["passes"]["flow"]
    (small_corpus / "index.json").write_text(json.dumps(index))
    found = problems(small_corpus)
    assert (
        "pass 'depth' is not the known one" in found and "pass 'flow' of shard clips-00000.tar is not listed" in found
    )
    assert "clips-00000.flow.tar: is not listed" in found


def test_verify_finds_passes_that_do_not_fit_the_clip(tmp_path, tiny_world):
    writer = CorpusWriter(tmp_path, tiny_world.description(num_clips=1, val_every=0))
    passes = tiny_world.clip_passes(0, ("depth", "tracks"))
    passes["depth"][2] = (passes["depth"][2][0], encode_depth(np.ones((5, 7), np.float32)))
    commit_part(tmp_path, "tiny-000000", 0, tiny_world.clip_members(0), {}, passes)
    writer.finish()
    found = problems(tmp_path)
    assert "tiny-000000.00002.depth.png: is 7x5 pixels, metadata says 96x64" in found
    assert "tiny-000000.tracks.npy: holds 4 tracks" in found and len(found.splitlines()) == 2


@pytest.mark.parametrize("name", ["depth", "normals", "flow", "coordinates", "amodal"])
def test_preview_colours_a_pass(passes_corpus, tmp_path, name):
    path = tmp_path / "sheet.png"
    with pytest.raises(SystemExit) as ended:
        main(["preview", str(passes_corpus), "--out", str(path), "--clips", "1", "--pass", name])
    assert ended.value.code == 0 and cv2.imread(str(path)).std() > 20


def test_verify_names_the_passes_and_preview_a_pass_that_is_not_there(small_corpus, tmp_path, capsys):
    with pytest.raises(SystemExit):
        main(["verify", str(small_corpus)])
    assert "1 clips, 8 frames, 1 shards, with depth, flow, tracks" in capsys.readouterr().out
    with pytest.raises(SystemExit) as ended:
        main(["preview", str(small_corpus), "--out", str(tmp_path / "a.mp4"), "--pass", "normals"])
    assert ended.value.code == 2 and "without the pass 'normals'" in capsys.readouterr().err
