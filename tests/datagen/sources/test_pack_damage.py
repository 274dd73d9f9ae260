import json
import re
import shutil

import pytest
from packing import HERE, pack, shard_hashes
from video_trees import davis_2017, frame, write_jpeg, write_palette
from vosforge.datagen.corpus.reader import Corpus, NotACorpus
from vosforge.datagen.sources.pack import PackJob, pack_corpus
from vosforge.datagen.sources.source import SourceLayoutError, open_source
from vosforge.datagen.verify.corpus import verify
from vosforge.datagen.writing.writer import CorpusMismatch


def test_a_pack_that_was_stopped_goes_on_and_gives_the_same_bytes(tmp_path):
    source = open_source("davis-2017", davis_2017(tmp_path / "set"))
    job = PackJob(root=str(tmp_path / "out"), source=source, name="davis-2017")

    def stop(_is_made: bool) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        pack_corpus(job, HERE, on_clip=stop)
    with pytest.raises(NotACorpus, match="not finished"):
        Corpus.open(tmp_path / "out")
    report = pack_corpus(job, HERE)
    assert (report.made, report.already_there, report.missing) == (2, 1, {})
    pack(source, tmp_path / "at_once")
    assert shard_hashes(tmp_path / "out") == shard_hashes(tmp_path / "at_once")
    before = (tmp_path / "out/index.json").stat().st_mtime_ns
    assert pack_corpus(job, HERE).made == 0
    assert (tmp_path / "out/index.json").stat().st_mtime_ns == before


def test_a_broken_file_is_named_and_its_clip_packed_once_it_is_mended(tmp_path):
    source = open_source("davis-2017", davis_2017(tmp_path / "set"))
    pack(source, tmp_path / "whole")
    broken = tmp_path / "set/JPEGImages/480p/tree/00001.jpg"
    content = broken.read_bytes()
    broken.write_bytes(content[: len(content) // 2])
    report = pack(source, tmp_path / "out")
    assert list(report.missing) == ["davis-2017-000001"] and report.made == 2
    assert report.missing["davis-2017-000001"].startswith(f"{broken}: ")
    assert [clip.key for clip in Corpus.open(tmp_path / "out").clips] == ["davis-2017-000000", "davis-2017-000002"]
    assert [str(problem.where) for problem in verify(tmp_path / "out")] == ["davis-2017-000001"]
    broken.write_bytes(content)
    report = pack(source, tmp_path / "out")
    assert (report.made, report.already_there) == (1, 2)
    assert shard_hashes(tmp_path / "out") == shard_hashes(tmp_path / "whole")


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (lambda root: (root / "Annotations/480p/bear/00001.png").write_bytes(b"PNG"), r"00001\.png: 3 bytes cannot be"),
        (lambda root: (root / "JPEGImages/480p/bear/00001.jpg").write_bytes(b""), r"00001\.jpg: 0 bytes cannot be"),
        (lambda root: shutil.rmtree(root / "JPEGImages/480p/bear"), "No such file or directory: .*bear"),
        (
            lambda root: write_jpeg(root / "JPEGImages/480p/bear/00001.jpg", frame(1)[0][:40]),
            r"00001\.jpg has 64x40 pixels, its mask 64x48",
        ),
        (
            lambda root: (
                write_jpeg(root / "JPEGImages/480p/bear/00001.jpg", frame(1)[0][:40]),
                write_palette(root / "Annotations/480p/bear/00001.png", frame(1)[1][:40]),
            ),
            r"00001\.jpg has 64x40 pixels, the frames before it 64x48",
        ),
    ],
    ids=["mask", "empty", "folder", "mask size", "frame size"],
)
def test_every_kind_of_damage_is_named(tmp_path, damage, reason):
    source = open_source("davis-2017", davis_2017(tmp_path / "set"))
    damage(tmp_path / "set")
    missing = pack(source, tmp_path / "out").missing
    assert list(missing) == ["davis-2017-000000"]
    assert re.search(reason, missing["davis-2017-000000"]), missing


def test_a_source_that_changed_between_two_runs_is_refused(tmp_path):
    davis_2017(tmp_path / "set")
    pack(open_source("davis-2017", tmp_path / "set"), tmp_path / "out")
    (tmp_path / "set/ImageSets/2017/val.txt").write_text("goat\n")
    with pytest.raises(CorpusMismatch, match="clip_names_sha256"):
        pack(open_source("davis-2017", tmp_path / "set"), tmp_path / "out")
    with pytest.raises(CorpusMismatch, match="short_side is 0, asked for 24"):
        pack(open_source("davis-2017", davis_2017(tmp_path / "set")), tmp_path / "out", short_side=24)


def test_a_wrong_root_leaves_no_output(tmp_path):
    (tmp_path / "set").mkdir()
    with pytest.raises(SourceLayoutError):
        pack(open_source("davis-2017", tmp_path / "set"), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_verify_compares_the_checksums_and_the_table_that_readers_use(tmp_path):
    pack(open_source("davis-2017", davis_2017(tmp_path / "set")), tmp_path / "out")
    manifest_file, index_file = tmp_path / "out/shards/clips-00000.json", tmp_path / "out/index.json"
    manifest, index = json.loads(manifest_file.read_text()), json.loads(index_file.read_text())
    manifest["clips"][1]["members_crc32"][2] ^= 1
    manifest["clips"][2]["members_crc32"].pop()
    manifest_file.write_text(json.dumps(manifest))
    index["shards"][0]["table"]["offset"][2] += 512
    index_file.write_text(json.dumps(index))
    assert [problem.where for problem in verify(tmp_path / "out")] == [
        "shards/clips-00000.json",
        "shards/clips-00000.tar, davis-2017-000001.00001.jpg",
        "shards/clips-00000.tar, davis-2017-000002",
    ]


def test_a_source_without_clips_is_no_corpus(tmp_path):
    youtube = tmp_path / "youtube/train"
    (youtube / "JPEGImages").mkdir(parents=True)
    (youtube / "Annotations").mkdir()
    (youtube / "meta.json").write_text('{"videos": {}}')
    with pytest.raises(SourceLayoutError, match=r"expected videos in meta\.json"):
        pack(open_source("youtube-vos", tmp_path / "youtube"), tmp_path / "out")
    assert not (tmp_path / "out").exists()
