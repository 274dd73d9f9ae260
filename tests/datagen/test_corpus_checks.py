import json
import os
import subprocess
import sys

import cv2
import numpy as np
import pytest
from vosforge.datagen.cli import main
from vosforge.datagen.corpus.reader import Corpus, NotACorpus
from vosforge.datagen.imaging.images import encode_palette_png
from vosforge.datagen.imaging.preview import contact_sheet, overlay_video
from vosforge.datagen.verify.corpus import verify
from vosforge.datagen.writing.card import assets_csv
from vosforge.datagen.writing.writer import CorpusWriter, commit_part


def exit_code(*arguments) -> int:
    with pytest.raises(SystemExit) as caught:
        main([str(argument) for argument in arguments])
    return caught.value.code


def problems(root) -> str:
    return "\n".join(str(problem) for problem in verify(root))


def edit_index(root, **changes) -> None:
    index = json.loads((root / "index.json").read_text())
    (root / "index.json").write_text(json.dumps(index | changes))


def test_one_flipped_bit_in_a_shard_is_found(tiny_corpus):
    path = tiny_corpus / "shards/clips-00002.tar"
    content = bytearray(path.read_bytes())
    content[700] ^= 1
    path.write_bytes(content)
    assert "shards/clips-00002.tar: its SHA-256" in problems(tiny_corpus)


def test_a_cut_or_missing_shard_or_manifest_is_found(tiny_corpus):
    os.truncate(tiny_corpus / "shards/clips-00000.tar", 3000)
    (tiny_corpus / "shards/clips-00001.tar").unlink()
    (tiny_corpus / "shards/clips-00002.json").unlink()
    found = problems(tiny_corpus)
    assert "clips-00000.tar: has 3000 bytes" in found
    assert "clips-00001.tar: is missing" in found
    assert "clips-00002.json: is missing" in found


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"num_clips": 7}, "tiny-000006 is in no shard"),
        ({"num_clips": 5}, "the shards hold tiny-000005"),
        ({"splits": {"train": [], "val": []}}, "its splits list 0 clips"),
        ({"val_every": 2}, 'split "val" is not the one'),
        ({"name": "other"}, "does not belong here"),
        ({"missing": [{"key": "tiny-000001", "reason": "crashed"}]}, "tiny-000001: is missing: crashed"),
        ({"clips_per_shard": 3}, "does not belong here"),
    ],
)
def test_a_wrong_index_is_found(tiny_corpus, change, message):
    edit_index(tiny_corpus, **change)
    assert message in problems(tiny_corpus)


def corpus_with(tmp_path, tiny_world, change) -> str:
    """The problems of a corpus of one clip, `change` applied to its members (a dict) before they are written."""
    writer = CorpusWriter(tmp_path, tiny_world.description(num_clips=1, val_every=0))
    members = dict(tiny_world.clip_members(0))
    change(members)
    commit_part(tmp_path, "tiny-000000", 0, list(members.items()), {})
    tmp_path.joinpath("README.md").touch()
    writer._write_pictures_and_card = lambda index: None  # it would refuse to draw what is broken here
    writer.finish()
    return problems(tmp_path)


def change_metadata(members: dict, change) -> None:
    metadata = json.loads(members["tiny-000000.json"])
    change(metadata)
    members["tiny-000000.json"] = json.dumps(metadata).encode()


def test_ids_that_the_metadata_does_not_list_are_found(tmp_path, tiny_world):
    found = corpus_with(tmp_path, tiny_world, lambda m: change_metadata(m, lambda d: d["objects"].pop()))
    assert "tiny-000000.00000.png: has ids [2]" in found


def test_wrong_areas_and_boxes_are_found(tmp_path, tiny_world):
    def change(metadata):
        metadata["objects"][0]["area"][3] += 1
        metadata["objects"][1]["box"][4][2] += 1

    found = corpus_with(tmp_path, tiny_world, lambda m: change_metadata(m, change))
    assert "tiny-000000.00003.png: object 1 covers" in found
    assert "tiny-000000.00004.png: object 2 fills box" in found
    assert len(found.splitlines()) == 2


def test_frames_of_another_size_or_kind_are_found(tmp_path, tiny_world):
    def change(members):
        members["tiny-000000.00002.png"] = encode_palette_png(np.zeros((10, 20), np.uint8))
        members["tiny-000000.00003.png"] = cv2.imencode(".png", np.zeros((64, 96), np.uint8))[1].tobytes()
        members["tiny-000000.00004.jpg"] = members["tiny-000000.00004.jpg"][:-50]

    found = corpus_with(tmp_path, tiny_world, change)
    assert "00002.png: is 20x10 pixels, metadata says 96x64" in found
    assert "00003.png: the mask picture has mode L" in found
    assert "00004.jpg: " in found and "not a whole JPEG" in found


def test_malformed_metadata_is_a_problem_and_not_a_crash(tmp_path, tiny_world):
    found = corpus_with(tmp_path, tiny_world, lambda m: change_metadata(m, lambda d: d["objects"][0].update(area=[1])))
    assert "malformed" in found


def test_strange_files_are_found(tiny_corpus):
    (tiny_corpus / "shards/clips-00009.tar").write_bytes(b"")
    (tiny_corpus / "shards/.clips-00001.tar.tmp-1-a").write_bytes(b"")
    found = problems(tiny_corpus)
    assert "clips-00009.tar: is not listed" in found and "write that was cut" in found


def test_verify_exits_0_1_or_2(tiny_corpus, tmp_path, capsys):
    assert exit_code("verify", tiny_corpus) == 0
    assert "is whole: 6 clips, 48 frames, 3 shards" in capsys.readouterr().out
    edit_index(tiny_corpus, num_clips=7)
    assert exit_code("verify", tiny_corpus) == 1
    assert "1 problem in" in capsys.readouterr().out
    for folder in (tmp_path, tmp_path / "nothing"):
        assert exit_code("verify", folder) == 2
        message = capsys.readouterr().err
        assert len(message.splitlines()) == 1 and str(folder) in message
    with pytest.raises(NotACorpus):
        verify(tmp_path)


@pytest.mark.parametrize("name", ["sheet.jpg", "sheet.png", "clip.mp4"])
def test_preview_writes_what_the_ending_says(tiny_corpus, tmp_path, name):
    path = tmp_path / "new" / name
    assert exit_code("preview", tiny_corpus, "--out", path, "--clip", "tiny-000004") == 0
    if name.endswith(".mp4"):
        video = cv2.VideoCapture(str(path))
        frames = [video.read() for _ in range(9)]
        video.release()
        assert [ok for ok, _ in frames] == [True] * 8 + [False] and frames[0][1].shape == (64, 96, 3)
    else:
        assert cv2.imread(str(path)).shape[1] > 1000
    assert [entry.name for entry in path.parent.iterdir()] == [name]


def test_preview_mistakes_are_one_line(tiny_corpus, tmp_path, capsys):
    for arguments in (["--out", tmp_path / "a.gif"], ["--out", tmp_path / "a.mp4", "--clip", "tiny-9"]):
        assert exit_code("preview", tiny_corpus, *arguments) == 2
        assert len(capsys.readouterr().err.splitlines()) == 1
    assert list(tmp_path.glob("a.*")) == []


def test_a_sheet_of_many_clips_shows_some_of_them(tiny_corpus):
    corpus = Corpus.open(tiny_corpus)
    all_rows, some_rows = contact_sheet(corpus), contact_sheet(corpus, max_clips=3)
    assert all_rows.shape[1] == some_rows.shape[1] and some_rows.shape[0] < 0.6 * all_rows.shape[0]
    assert all_rows[:, :10].min() == 255, "the margin stays white"


def test_the_overlay_video_shows_the_clip(tiny_corpus, tmp_path):
    corpus = Corpus.open(tiny_corpus)
    path = overlay_video(corpus, tmp_path / "clip.mp4", "tiny-000001")
    video = cv2.VideoCapture(str(path))
    _, first = video.read()
    video.release()
    background = corpus.read_ids("tiny-000001", 0) == 0
    difference = np.abs(first[..., ::-1].astype(int) - corpus.read_rgb("tiny-000001", 0))
    assert difference[background].mean() < 12


def test_the_card_tells_counts_shards_licences_and_shows_the_sheet(tiny_corpus):
    text = (tiny_corpus / "README.md").read_text()
    assert "6 clips, 48 frames of 96x64 pixels" in text and "![contact sheet](preview.jpg)" in text
    assert "| model | used | CC0 | 1 |" in text
    assert text.count("| clips-0000") == 3


def test_the_asset_ledger_refuses_unknown_columns_and_states():
    row = {"asset": "a, b", "kind": "model", "status": "quarantined", "reason": "no faces"}
    assert assets_csv([row]).splitlines()[1] == '"a, b",model,quarantined,,no faces,,,'
    with pytest.raises(ValueError, match="'license'"):
        assets_csv([{"license": "CC0", "status": "used"}])
    with pytest.raises(ValueError, match="'fine'"):
        assets_csv([row | {"status": "fine"}])


def test_help_needs_no_optional_package():
    code = (
        "import sys\n"
        "from vosforge.datagen.cli import main\n"
        "try: main(['--help'])\n"
        "except SystemExit as end: assert end.code == 0\n"
        "print([name for name in ('torch', 'ray', 'webdataset', 'bpy', 'cv2') if name in sys.modules])"
    )
    output = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert "verify" in output and output.splitlines()[-1] == "[]"
