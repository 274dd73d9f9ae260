import json
import os
import subprocess
import sys

import pytest
from vosforge.datagen.corpus.reader import Corpus, NotACorpus
from vosforge.datagen.corpus.shards import DamagedFile
from vosforge.datagen.verify.corpus import verify
from vosforge.datagen.writing.writer import CorpusMismatch, CorpusWriter, commit_part


def shard_hashes(root) -> list:
    shards = json.loads((root / "index.json").read_text())["shards"]
    return [record["sha256"] for shard in shards for record in (shard, *shard.get("passes", {}).values())]


def files_below(root) -> set:
    return {str(path.relative_to(root)) for path in root.rglob("*") if path.is_file()}


def test_a_finished_corpus_holds_what_its_description_says(tiny_corpus):
    index = json.loads((tiny_corpus / "index.json").read_text())
    assert index["splits"]["val"] == ["tiny-000002", "tiny-000005"]
    assert [(shard["clips"], shard["frames"]) for shard in index["shards"]] == [(2, 16)] * 3
    assert index["missing"] == [] and index["recipe"] == "discs" and index["schema"] == 1
    assert {"README.md", "preview.jpg", "assets.csv"} <= files_below(tiny_corpus)
    assert not (tiny_corpus / "parts").exists()
    assert verify(tiny_corpus) == []


def test_shards_do_not_depend_on_the_order_of_the_parts(tmp_path, tiny_world):
    first = tiny_world.write(tmp_path / "a")
    second = tiny_world.write(tmp_path / "b", order=[5, 0, 3, 1, 4, 2])
    assert shard_hashes(first) == shard_hashes(second)
    assert (first / "preview.jpg").read_bytes() == (second / "preview.jpg").read_bytes()


def test_a_shard_appears_as_soon_as_its_block_is_done(tmp_path, tiny_world):
    writer = CorpusWriter(tmp_path, tiny_world.description())
    tiny_world.commit(tmp_path, 3)
    assert writer.assemble_ready() == [] and writer.done(3) and not writer.done(2)
    tiny_world.commit(tmp_path, 2)
    assert writer.assemble_ready() == ["clips-00001.tar"]
    assert not list((tmp_path / "parts").iterdir())
    assert writer.done(2) and writer.done(3)


def test_the_shard_of_one_clip_is_assembled_without_a_look_at_other_parts(tmp_path, tiny_world, monkeypatch):
    writer = CorpusWriter(tmp_path, tiny_world.description())
    monkeypatch.setattr(writer.store, "sizes", lambda _folder: pytest.fail("nothing is listed"))
    for index in (0, 2, 3, 4):
        tiny_world.commit(tmp_path, index)
    assert writer.assemble_ready(index=0) == []
    assert writer.assemble_ready(index=3) == ["clips-00001.tar"] and writer.assemble_ready(index=3) == []
    assert writer.assemble_ready({5}, index=4) == ["clips-00002.tar"]
    tiny_world.commit(tmp_path, 5)
    assert writer.assemble_ready(index=5) == ["clips-00002.tar"], "built again with the clip that came"
    assert writer.done(0) and writer.done(4) and writer.done(5) and not writer.done(1)


def test_an_unfinished_corpus_does_not_open_and_cannot_be_finished(tmp_path, tiny_world):
    writer = CorpusWriter(tmp_path, tiny_world.description())
    tiny_world.commit(tmp_path, 0)
    with pytest.raises(NotACorpus, match="not finished"):
        Corpus.open(tmp_path)
    with pytest.raises(ValueError, match=r"5 clips .* are not done: tiny-000001"):
        writer.finish()
    assert not (tmp_path / "index.json").exists()


def test_running_again_on_a_finished_corpus_changes_no_byte(tiny_corpus, tiny_world):
    before = {name: (tiny_corpus / name).stat().st_mtime_ns for name in files_below(tiny_corpus)}
    writer = CorpusWriter(tiny_corpus, tiny_world.description())
    assert writer.is_finished() and all(writer.done(index) for index in range(6))
    writer.finish()
    del before["journal/writer.lock"]
    assert before == {name: (tiny_corpus / name).stat().st_mtime_ns for name in before}


def test_another_description_is_refused_and_the_difference_named(tiny_corpus, tiny_world):
    with pytest.raises(CorpusMismatch, match="seed is 5, asked for 6"):
        CorpusWriter(tiny_corpus, tiny_world.description(seed=6))
    with pytest.raises(CorpusMismatch, match=r"speed is 2\.0, asked for 3"):
        CorpusWriter(tiny_corpus, tiny_world.description(parameters={"speed": 3}))
    CorpusWriter(tiny_corpus, tiny_world.description()).close()


def test_a_tuple_in_the_parameters_is_the_same_corpus(tmp_path, tiny_world):
    description = tiny_world.description(parameters={"size": (96, 64)})
    CorpusWriter(tmp_path, description).close()
    CorpusWriter(tmp_path, description).close()


def test_a_folder_with_other_files_is_refused_and_left_alone(tmp_path, tiny_world):
    (tmp_path / "thesis.tex").write_text("years of work")
    with pytest.raises(CorpusMismatch, match=r"thesis\.tex"):
        CorpusWriter(tmp_path, tiny_world.description())
    assert files_below(tmp_path) == {"thesis.tex"}
    with pytest.raises(CorpusMismatch, match="is a file"):
        CorpusWriter(tmp_path / "thesis.tex", tiny_world.description())


def test_two_processes_do_not_write_one_corpus(tmp_path, tiny_world):
    writer = CorpusWriter(tmp_path, tiny_world.description())
    code = (
        "import sys; from vosforge.datagen.writing.writer import *\n"
        "try: CorpusWriter(sys.argv[1], CorpusDescription(name='tiny', recipe='discs', parameters={'speed': 2.0}, "
        "seed=5, num_clips=6, clips_per_shard=2, val_every=3, code_version='1'))\n"
        "except CorpusMismatch as error: print(error)"
    )
    command = [sys.executable, "-c", code, str(tmp_path)]
    assert "another process" in subprocess.run(command, capture_output=True, text=True, check=True).stdout
    writer.close()
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout == ""


def test_missing_clips_are_listed_and_tried_again_by_the_next_run(tmp_path, tiny_world):
    whole = shard_hashes(tiny_world.write(tmp_path / "whole"))
    root = tmp_path / "partial"
    writer = CorpusWriter(root, tiny_world.description())
    for index in (0, 2, 3):
        tiny_world.commit(root, index)
    writer.finish({1: "no scene was good", 4: "crashed", 5: "crashed"})
    index = json.loads((root / "index.json").read_text())
    assert index["missing"][0] == {"key": "tiny-000001", "reason": "no scene was good"}
    assert [shard["clips"] for shard in index["shards"]] == [1, 2]
    assert len(Corpus.open(root).clips) == 3
    assert "no scene was good" in (root / "README.md").read_text()

    writer = CorpusWriter(root, tiny_world.description())
    assert not writer.is_finished() and [i for i in range(6) if not writer.done(i)] == [1, 4, 5]
    for index in (5, 1, 4):
        tiny_world.commit(root, index)
        writer.assemble_ready()
    writer.finish({1: "an old reason for a clip that is done now"})
    assert shard_hashes(root) == whole and verify(root) == []


def test_a_damaged_part_is_named_removed_and_made_again(tmp_path, tiny_world):
    writer = CorpusWriter(tmp_path, tiny_world.description(num_clips=1))
    tiny_world.commit(tmp_path, 0)
    part = tmp_path / "parts/tiny-000000.tar"
    content = bytearray(part.read_bytes())
    content[5000] ^= 1
    part.write_bytes(content)
    with pytest.raises(DamagedFile, match="run the same command again"):
        writer.assemble_ready()
    assert not writer.done(0) and not part.exists()
    part.parent.mkdir(exist_ok=True)
    tiny_world.commit(tmp_path, 0)
    part.write_bytes(part.read_bytes()[:-1])
    assert not writer.done(0)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda m: m[:-1], "the last member must be tiny-000000.json"),
        (lambda m: m[2:], "first difference is member 0: tiny-000000.00001.jpg"),
        (lambda m: [m[1], m[0], *m[2:]], "instead of tiny-000000.00000.jpg"),
        (lambda m: m[:1] + m[2:], "tiny-000000.00001.jpg instead of tiny-000000.00000.png"),
    ],
)
def test_members_that_do_not_fit_the_metadata_are_refused(tmp_path, tiny_world, change, message):
    CorpusWriter(tmp_path, tiny_world.description())
    with pytest.raises(ValueError, match=message):
        commit_part(tmp_path, "tiny-000000", 0, change(tiny_world.clip_members(0)), {})
    assert not list((tmp_path / "parts").iterdir())


def test_a_dot_in_a_name_is_refused(tiny_world):
    with pytest.raises(ValueError, match=r"'clip_0\.5x' is not allowed"):
        tiny_world.description(name="clip_0.5x")


def test_a_journal_line_cut_by_a_kill_does_not_swallow_the_next(tmp_path, tiny_world):
    writer = CorpusWriter(tmp_path, tiny_world.description())
    writer.journal({"event": "one"})
    with open(tmp_path / "journal/events.jsonl", "a") as file:
        file.write('{"event": "cu')
    writer.journal({"event": "two"})
    lines = (tmp_path / "journal/events.jsonl").read_text().splitlines()
    assert json.loads(lines[0])["event"] == "one" and json.loads(lines[2])["event"] == "two"


# ---- killed at any instruction that changes the disk


def run_killed_before(operation: int, work) -> bool:
    """Run `work` in a forked process that ends without clean-up before its `operation`-th change of the disk."""
    child = os.fork()
    if child == 0:
        left = operation

        def counted(function):
            def call(*arguments, **options):
                nonlocal left
                left -= 1
                if left < 0:
                    os._exit(9)
                return function(*arguments, **options)

            return call

        try:
            for name in ("replace", "fsync", "unlink", "rmdir", "mkdir"):
                setattr(os, name, counted(getattr(os, name)))
            work()
        except BaseException:
            os._exit(1)
        os._exit(0)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert code in (0, 9), "the run failed instead of being killed"
    return code == 9


class Runs:
    """A run that makes three clips in two shards, and one that adds a clip which an earlier run could not make."""

    def __init__(self, tiny_world) -> None:
        self.description = tiny_world.description(num_clips=3)
        self.members = {index: tiny_world.clip_members(index, num_frames=3) for index in range(3)}
        self.passes = {index: tiny_world.clip_passes(index, ("depth",), num_frames=3) for index in range(3)}

    def run(self, root, failing=()) -> None:
        writer = CorpusWriter(root, self.description)
        for index in (1, 2, 0):
            if not writer.done(index) and index not in failing:
                commit_part(root, writer.key(index), index, self.members[index], {"attempts": 1}, self.passes[index])
            writer.assemble_ready()
        writer.finish(dict.fromkeys(failing, "crashed"))


def check_kills(tmp_path, tiny_world, step: int, failing_before: tuple) -> int:
    runs = Runs(tiny_world)
    runs.run(tmp_path / "whole")
    expected, kills = shard_hashes(tmp_path / "whole"), 0
    for operation in range(0, 1000, step):
        root = tmp_path / f"killed-{operation}"
        if failing_before:
            runs.run(root, failing_before)
        if not run_killed_before(operation, lambda root=root: runs.run(root)):
            break
        kills += 1
        if (root / "index.json").exists():
            # The older index stays while a clip that it lists as missing waits as a part: whole, but for that clip.
            missing = json.loads((root / "index.json").read_text())["missing"]
            found = [problem for problem in verify(root) if not problem.where.startswith("parts/")]
            assert len(found) == len(missing), f"killed before change {operation}: looks whole, is not"
        else:
            with pytest.raises(NotACorpus):
                Corpus.open(root)
        runs.run(root)
        assert shard_hashes(root) == expected and verify(root) == []
        assert not [name for name in files_below(root) if ".tmp-" in name]
    return kills


@pytest.mark.parametrize("failing_before", [(), (0,)])
def test_killed_half_way_leaves_nothing_that_looks_finished(tmp_path, tiny_world, failing_before):
    assert check_kills(tmp_path, tiny_world, 6, failing_before) >= 5


@pytest.mark.slow
@pytest.mark.parametrize("failing_before", [(), (0,), (0, 2)])
def test_killed_before_any_change_of_the_disk(tmp_path, tiny_world, failing_before):
    assert check_kills(tmp_path, tiny_world, 1, failing_before) >= 30
