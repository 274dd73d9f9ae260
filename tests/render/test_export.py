"""Exports hold what the public loaders of DAVIS, YouTube-VOS and COCO look for, and the same pixels as the corpus."""

import glob
import json
import os

import numpy as np
import pytest
from PIL import Image
from vosforge.datagen.corpus.reader import Corpus
from vosforge.datagen.imaging.images import DAVIS_PALETTE
from vosforge.render.exports.folder import STATE, ExportFolder
from vosforge.render.exports.video import export_davis, export_youtube_vos
from vosforge.train.evaluation.sequences import open_sequences


@pytest.fixture(scope="module")
def corpus(tiny_world, tmp_path_factory):
    return Corpus.open(tiny_world.write(tmp_path_factory.mktemp("export") / "corpus"))


@pytest.fixture(scope="module")
def davis(corpus, tmp_path_factory):
    out = tmp_path_factory.mktemp("davis") / "out"
    assert export_davis(corpus, out).is_finished()
    return out


def palette_ids(path):
    image = Image.open(path)
    assert image.mode == "P"
    assert image.getpalette()[: 3 * 256] == DAVIS_PALETTE.ravel().tolist()
    return np.array(image)


def tree(root):
    return {
        os.path.relpath(os.path.join(place, name), root): open(os.path.join(place, name), "rb").read()
        for place, _, names in os.walk(root)
        for name in names
    }


def test_a_davis_loader_finds_every_sequence_and_frame(corpus, davis):
    for split in ("train", "val"):
        names = (davis / f"ImageSets/2017/{split}.txt").read_text().split()
        assert names == [clip.key for clip in corpus.split(split)]
        for name in names:
            # As the DAVIS 2017 toolkit reads them: sorted globs that must pair up.
            images = sorted(glob.glob(str(davis / "JPEGImages/480p" / name / "*.jpg")))
            masks = sorted(glob.glob(str(davis / "Annotations/480p" / name / "*.png")))
            assert len(images) == len(masks) == corpus.clip(name).num_frames
            # As SAM 2 reads them: the name of a frame is its number.
            assert [int(os.path.splitext(os.path.basename(path))[0]) for path in images] == list(range(len(images)))
            assert os.path.basename(images[0]) == "00000.jpg"


def test_davis_masks_are_palette_pictures_with_the_ids_of_the_corpus(corpus, davis):
    for clip in corpus.clips[:2]:
        for t in range(clip.num_frames):
            ids = palette_ids(davis / f"Annotations/480p/{clip.key}/{t:05d}.png")
            assert np.array_equal(ids, corpus.read_ids(clip.key, t))


def test_the_davis_evaluation_scores_the_same_sequences_either_way(corpus, davis):
    exported, original = open_sequences(davis, "val"), open_sequences(corpus.root, "val")
    assert [entry.name for entry in exported.sequences] == [entry.name for entry in original.sequences]
    for ours, theirs in zip(original.sequences, exported.sequences, strict=True):
        assert ours.num_frames == theirs.num_frames
        assert np.array_equal(ours.read_truth(3), theirs.read_truth(3))
        assert np.array_equal(ours.read_frame(3), theirs.read_frame(3))


def test_jpeg_bytes_are_copied(corpus, davis):
    key = corpus.clips[3].key
    assert (davis / f"JPEGImages/480p/{key}/00002.jpg").read_bytes() == corpus.read_jpeg(key, 2)


def test_youtube_vos_names_the_frames_of_every_object(corpus, tmp_path):
    assert export_youtube_vos(corpus, tmp_path / "out").is_finished()
    for place, split in (("train", "train"), ("valid", "val")):
        meta = json.loads((tmp_path / f"out/{place}/meta.json").read_text())["videos"]
        assert list(meta) == [clip.key for clip in corpus.split(split)]
        for key, video in meta.items():
            shown = {}
            for t in range(corpus.clip(key).num_frames):
                assert (tmp_path / f"out/{place}/JPEGImages/{key}/{t:05d}.jpg").exists()
                for number in np.unique(corpus.read_ids(key, t)):
                    shown.setdefault(str(number), []).append(f"{t:05d}")
            shown.pop("0")
            assert {number: entry["frames"] for number, entry in video["objects"].items()} == shown


def test_youtube_vos_gives_validation_loaders_the_first_sight_of_each_object_alone(corpus, tmp_path):
    export_youtube_vos(corpus, tmp_path / "out")
    meta = json.loads((tmp_path / "out/valid/meta.json").read_text())["videos"]
    for key, video in meta.items():
        given = {path.stem: palette_ids(path) for path in (tmp_path / f"out/valid/Annotations/{key}").iterdir()}
        first = {number: entry["frames"][0] for number, entry in video["objects"].items()}
        assert set(given) == set(first.values())
        for number, frame in first.items():
            truth = corpus.read_ids(key, int(frame)) == int(number)
            assert np.array_equal(given[frame] == int(number), truth)
        assert sum(len(np.unique(ids)) - 1 for ids in given.values()) == len(first)
        assert np.array_equal(palette_ids(tmp_path / f"out/valid/GroundTruth/{key}/00004.png"), corpus.read_ids(key, 4))


def test_coco_masks_decode_to_the_ids_of_the_corpus(corpus, tmp_path):
    pytest.importorskip("pycocotools")
    from pycocotools.coco import COCO
    from vosforge.render.exports.coco import export_coco

    assert export_coco(corpus, tmp_path / "out").is_finished()
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"images", "annotations", STATE}
    assert export_coco(corpus, tmp_path / "out").is_finished(), "asked again, it is left alone"
    for split in ("train", "val"):
        coco = COCO(str(tmp_path / f"out/annotations/instances_{split}.json"))
        assert len(coco.imgs) == sum(clip.num_frames for clip in corpus.split(split))
        assert [video["name"] for video in coco.dataset["videos"]] == [clip.key for clip in corpus.split(split)]
        for image in list(coco.imgs.values())[::5]:
            assert (tmp_path / "out/images" / image["file_name"]).exists()
            clip = corpus.clips[image["video_id"] - 1]
            ids = np.zeros((clip.height, clip.width), np.uint8)
            for entry in coco.imgToAnns[image["id"]]:
                mask = coco.annToMask(entry).astype(bool)
                assert entry["area"] == mask.sum()
                ids[mask] = entry["instance_id"]
            assert np.array_equal(ids, corpus.read_ids(clip.key, image["frame_id"]))


def test_an_export_stopped_half_way_looks_unfinished_and_goes_on_to_the_same_files(corpus, davis, tmp_path):
    class Stop(Exception):
        pass

    def stop(done, _total):
        if done == 3:
            raise Stop

    out = tmp_path / "out"
    with pytest.raises(Stop):
        export_davis(corpus, out, on_clip=stop)
    # A kill between the two renames of a clip leaves the pictures without masks.
    (out / f"JPEGImages/480p/{corpus.clips[3].key}").mkdir()
    assert not json.loads((out / STATE).read_text())["finished"]
    assert not (out / "ImageSets").exists()
    export_davis(corpus, out)
    assert tree(out) == tree(davis)


def test_a_folder_with_other_files_is_refused(corpus, tmp_path):
    (tmp_path / "thesis.tex").write_text("precious")
    with pytest.raises(ValueError, match="holds other files; give a new or an empty folder"):
        export_davis(corpus, tmp_path)
    assert [entry.name for entry in tmp_path.iterdir()] == ["thesis.tex"]


def test_an_export_of_something_else_is_refused_by_what_differs(corpus, davis):
    with pytest.raises(ValueError, match="holds another export: resolution differ"):
        export_davis(corpus, davis, "Full-Resolution")


def test_what_is_left_of_a_killed_export_is_swept(corpus, tmp_path):
    out = tmp_path / "out"
    ExportFolder(out, corpus, {"format": "davis"})
    (out / ".unfinished/0").mkdir(parents=True)
    ExportFolder(out, corpus, {"format": "davis"})
    assert not (out / ".unfinished").exists()
