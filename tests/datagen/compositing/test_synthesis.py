"""`vosforge-data synthesize`: shards of sequences, resumable, the same bytes for any number of workers."""

import json

import numpy as np
import pytest
from PIL import Image
from vosforge.datagen.commands.synthesize import Synthesize, read_settings, run
from vosforge.datagen.compositing.settings import SequenceSettings
from vosforge.datagen.compositing.still_folder import StillFolder
from vosforge.datagen.compositing.synthesis import SynthesisJob
from vosforge.datagen.corpus.reader import Corpus
from vosforge.datagen.samples.loader import collate
from vosforge.datagen.verify.corpus import verify


@pytest.fixture
def stills(tmp_path):
    folder = tmp_path / "stills"
    folder.mkdir()
    for number in range(5):
        rng = np.random.default_rng(number)
        Image.fromarray(rng.integers(0, 256, (40, 52, 3), np.uint8)).save(folder / f"{number}.jpg")
        mask = np.zeros((40, 52), np.uint8)
        mask[10:30, 10 + number : 34] = 255
        Image.fromarray(mask).save(folder / f"{number}.png")
    return folder


def command(stills, out, **options):
    options = {"executor": "local", "count": 12, "size": 32, "clips_per_shard": 5, "pasted": (0, 1), **options}
    return Synthesize(stills=[str(stills)], out=str(out), **options)


def shard_bytes(root):
    return {path.name: path.read_bytes() for path in sorted((root / "shards").glob("*.tar"))}


def test_corpus_is_whole_and_every_still_comes_once_a_round(stills, tmp_path):
    assert run(command(stills, tmp_path / "out", frames=4)) == 0
    assert verify(tmp_path / "out") == []
    corpus = Corpus.open(tmp_path / "out")
    assert [clip.num_frames for clip in corpus.clips] == [4] * 12
    names = [corpus.metadata(clip.key)["source"]["still"] for clip in corpus.clips]
    assert sorted(names[:5]) == sorted(names[5:10]) == list("01234")


def test_bytes_do_not_depend_on_workers_and_the_same_command_resumes(stills, tmp_path):
    assert run(command(stills, tmp_path / "one")) == 0
    assert run(command(stills, tmp_path / "two", workers=2)) == 0
    expected = shard_bytes(tmp_path / "one")
    assert shard_bytes(tmp_path / "two") == expected and len(expected) == 3
    for name in ("index.json", "shards/clips-00001.json", "shards/clips-00001.tar"):
        (tmp_path / "two" / name).unlink()
    assert run(command(stills, tmp_path / "two")) == 0
    assert shard_bytes(tmp_path / "two") == expected


def test_a_broken_still_is_named_and_its_clips_missing(stills, tmp_path, capsys):
    content = (stills / "3.jpg").read_bytes()
    (stills / "3.jpg").write_bytes(b"\xff\xd8" + bytes(len(content) - 2))
    assert run(command(stills, tmp_path / "out", count=5, pasted=(0, 0))) == 1
    missing = json.loads((tmp_path / "out" / "index.json").read_text())["missing"]
    assert len(missing) == 1 and "3.jpg is broken" in missing[0]["reason"]
    (stills / "3.jpg").write_bytes(content)
    assert run(command(stills, tmp_path / "out", count=5, pasted=(0, 0))) == 0
    assert "1 sequences made, 4 there already" in capsys.readouterr().out


def test_other_settings_are_refused_in_the_same_folder(stills, tmp_path):
    run(command(stills, tmp_path / "out", count=2))
    with pytest.raises(ValueError, match="another corpus"):
        run(command(stills, tmp_path / "out", count=2, setting=["still_scale=0.5,2"]))


def test_a_corpus_gives_stills_too(tiny_world, tmp_path):
    tiny_world.write(tmp_path / "videos")
    assert run(command(tmp_path / "videos", tmp_path / "out", count=3, split="all")) == 0
    assert verify(tmp_path / "out") == []


def test_settings_are_read_from_options(stills, tmp_path):
    chosen = ["still_scale=0.5,2.0", "still_jitter.hue=0.1", "spline-points=8", "feather_pixels=2"]
    settings = read_settings(command(stills, tmp_path, setting=chosen, backgrounds=stills))
    assert settings.still_scale == (0.5, 2.0) and settings.still_jitter.hue == 0.1 and settings.spline_points == 8
    assert settings.feather_pixels == 2.0 and settings.background_probability == 1.0


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"setting": ["colour=1"]}, "--setting colour=1: there is no such setting"),
        ({"setting": ["still_scale=3"]}, "give a value such as 0.8,1.5"),
        ({"setting": ["still_jitter.glow=3"]}, "has no part 'glow'"),
        ({"setting": ["still_jitter=3"]}, "one of its parts"),
        ({"count": 0}, "--count 0"),
        ({"frames": 0}, "num_frames is 0"),
        ({"pasted": (2, 1)}, "num_pasted"),
    ],
)
def test_wrong_options_are_named(stills, tmp_path, options, said):
    with pytest.raises(ValueError, match=said):
        run(command(stills, tmp_path / "out", **options))
    assert not (tmp_path / "out").exists()


def test_sequences_collate_like_triplets(stills):
    from vosforge.datagen.compositing.sequence import sample_sequence
    from vosforge.datagen.compositing.settings import SequenceSettings
    from vosforge.datagen.compositing.still_folder import StillFolder

    source, settings = StillFolder(stills), SequenceSettings(size=32)
    batch = collate([sample_sequence(np.random.default_rng(n), source, n, settings) for n in range(2)])
    assert tuple(batch["rgb"].shape) == (2, 3, 3, 32, 32) and tuple(batch["labels"].shape) == (2, 3, 32, 32)
    assert (batch["labels"] == 1).any() and batch["selector"].tolist() == [[1, 0], [1, 0]]


def test_a_val_split_that_would_share_stills_is_refused(stills):
    for changes in ({"num_clips": 6}, {"settings": SequenceSettings(num_pasted=(0, 1))}):
        with pytest.raises(ValueError, match="make two corpora"):
            SynthesisJob(**{"root": "corpus", "stills": StillFolder(stills), "num_clips": 5, "val_every": 2} | changes)
    SynthesisJob(root="corpus", stills=StillFolder(stills), num_clips=5, val_every=2)
