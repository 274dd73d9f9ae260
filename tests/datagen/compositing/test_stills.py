"""Stills from folders of pictures and masks, from corpora, and mixtures of them."""

import cv2
import numpy as np
import pytest
from PIL import Image
from vosforge.datagen.compositing import still_folder
from vosforge.datagen.compositing.still_folder import Backgrounds, StillFolder, read_ids
from vosforge.datagen.compositing.stills import CorpusStills, Still, StillMixture, paint_instances
from vosforge.datagen.corpus.reader import Corpus
from vosforge.datagen.corpus.records import ClipEntry
from vosforge.datagen.imaging.images import encode_palette_png


def rng():
    return np.random.default_rng(0)


def write_still(picture, mask, value=255, size=(20, 14), palette=False):
    picture.parent.mkdir(parents=True, exist_ok=True)
    mask.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, (200, 50, 20)).save(picture)
    values = np.zeros(size[::-1], np.uint8)
    values[3:9, 4:12] = value
    image = Image.fromarray(values)
    if palette:
        image.putpalette(np.arange(768, dtype=np.uint8).tobytes())
    image.save(mask)


def test_pairs_lie_side_by_side_or_in_sibling_folders(tmp_path):
    write_still(tmp_path / "ecssd/b.jpg", tmp_path / "ecssd/b.png")
    write_still(tmp_path / "fss/cat/1.jpg", tmp_path / "fss/cat/1.png")
    write_still(tmp_path / "DUTS/DUTS-TR-Image/a.jpg", tmp_path / "DUTS/DUTS-TR-Mask/a.png")
    write_still(tmp_path / "other/images/c.png", tmp_path / "other/masks/c.png")
    stills = StillFolder(tmp_path)
    names = [stills.name(number) for number in range(len(stills))]
    assert names == ["DUTS/DUTS-TR-Image/a", "ecssd/b", "fss/cat/1", "other/images/c"]
    for number in range(4):
        still = stills.read(rng(), number)
        assert still.rgb.shape == (14, 20, 3) and still.object_ids().tolist() == [1]
        assert (still.ids == 1).sum() == 6 * 8
        assert np.abs(still.rgb[7, 10].astype(int) - (200, 50, 20)).max() <= 3


def test_a_folder_whose_masks_are_all_empty_is_named(tmp_path):
    for name in "abc":
        write_still(tmp_path / f"{name}.jpg", tmp_path / f"{name}.png", value=1)
    with pytest.raises(ValueError, match=rf"none of the 3 masks looked at in {tmp_path} shows .* 128 and above"):
        StillFolder(tmp_path)
    write_still(tmp_path / "c.jpg", tmp_path / "c.png")
    assert len(StillFolder(tmp_path)) == 3


def test_opening_reads_masks_only_until_one_shows_an_object(tmp_path, monkeypatch):
    for number in range(6):
        write_still(tmp_path / f"{number}.jpg", tmp_path / f"{number}.png", value=255 * (number == 2))
    (tmp_path / "1.png").write_bytes(b"broken")
    read = []
    monkeypatch.setattr(still_folder, "read_ids", lambda path: read.append(path.stem) or read_ids(path))
    StillFolder(tmp_path)
    assert read == ["0", "1", "2"]
    read.clear()
    monkeypatch.setattr(still_folder, "MAX_MASKS_LOOKED_AT", 2)
    with pytest.raises(ValueError, match="none of the 2 masks looked at"):
        StillFolder(tmp_path)
    assert read == ["0", "3"]


def test_palette_masks_hold_ids_and_grey_ones_are_cut_at_128(tmp_path):
    write_still(tmp_path / "p.jpg", tmp_path / "p.png", value=7, palette=True)
    write_still(tmp_path / "q.jpg", tmp_path / "q.png", value=255, palette=True)
    write_still(tmp_path / "r.jpg", tmp_path / "r.png", value=127)
    write_still(tmp_path / "s.jpg", tmp_path / "s.png", value=128)
    stills = StillFolder(tmp_path)
    assert [stills.read(rng(), number).object_ids().tolist() for number in range(4)] == [[7], [1], [], [1]]


def test_void_alone_is_no_object_in_the_palette_of_davis(tmp_path):
    write_still(tmp_path / "v.jpg", tmp_path / "v.png")
    write_still(tmp_path / "w.jpg", tmp_path / "w.png")
    ids = np.zeros((14, 20), np.uint8)
    ids[3:9, 4:12] = 255
    (tmp_path / "v.png").write_bytes(encode_palette_png(ids))
    still = StillFolder(tmp_path).read(rng(), 0)
    assert (still.ids == ids).all() and not len(still.object_ids())


def test_ignored_pixels_are_no_object():
    ids = np.array([[0, 3, 255, 254]], np.uint8)
    assert Still(name="x", rgb=np.zeros((1, 4, 3), np.uint8), ids=ids).object_ids().tolist() == [3, 254]


@pytest.mark.parametrize(
    ("remove", "said"), [("a.png", "lacks its mask a.png"), ("a.jpg", r"lacks its picture a\.jpg")]
)
def test_a_file_without_partner_is_named(tmp_path, remove, said):
    for name in "ab":
        write_still(tmp_path / f"{name}.jpg", tmp_path / f"{name}.png")
    (tmp_path / remove).unlink()
    with pytest.raises(ValueError, match=said):
        StillFolder(tmp_path)


def test_a_tree_of_videos_is_told_from_stills(tmp_path):
    write_still(tmp_path / "JPEGImages/480p/cat/00000.jpg", tmp_path / "Annotations/480p/cat/00000.png")
    with pytest.raises(ValueError, match=r"is a tree of DAVIS or YouTube-VOS.*vosforge-data pack"):
        StillFolder(tmp_path)


def test_wrong_folders_say_what_is_expected(tmp_path):
    with pytest.raises(ValueError, match="is not a folder"):
        StillFolder(tmp_path / "absent")
    with pytest.raises(ValueError, match="no pair of picture and mask"):
        StillFolder(tmp_path)
    with pytest.raises(ValueError, match="holds no picture"):
        Backgrounds(tmp_path)


def test_broken_files_and_other_sizes_are_named(tmp_path):
    write_still(tmp_path / "a.jpg", tmp_path / "a.png")
    write_still(tmp_path / "b.jpg", tmp_path / "b.png")
    write_still(tmp_path / "c.jpg", tmp_path / "c.png")
    Image.new("L", (9, 9)).save(tmp_path / "a.png")
    (tmp_path / "b.jpg").write_bytes((tmp_path / "b.jpg").read_bytes()[:300])
    (tmp_path / "c.png").write_bytes(b"")
    stills = StillFolder(tmp_path)
    for number, said in enumerate(("differ in size: 20x14 and 9x9", r"b\.jpg is broken", r"c\.png is broken")):
        with pytest.raises(ValueError, match=said):
            stills.read(rng(), number)


def test_fingerprint_tells_folders_apart(tmp_path):
    write_still(tmp_path / "a.jpg", tmp_path / "a.png")
    before = StillFolder(tmp_path).fingerprint()
    assert StillFolder(tmp_path).fingerprint() == before
    write_still(tmp_path / "b.jpg", tmp_path / "b.png")
    assert StillFolder(tmp_path).fingerprint() != before


def test_backgrounds_have_no_objects(tmp_path):
    cv2.imwrite(str(tmp_path / "a.png"), np.full((9, 8, 3), 60, np.uint8))
    still = Backgrounds(tmp_path).read(rng(), 0)
    assert (still.rgb == 60).all() and not len(still.object_ids()) and still.name == "a.png"


def test_corpus_gives_one_frame_of_each_clip(tiny_world, tmp_path):
    tiny_world.write(tmp_path / "corpus")
    corpus = Corpus.open(tmp_path / "corpus")
    stills = CorpusStills(corpus, "all")
    assert len(stills) == len(corpus.clips)
    draw = np.random.default_rng(0)
    frames = [stills.read(draw, 0) for _ in range(12)]
    assert {still.name for still in frames} == {corpus.clips[0].key}
    assert len({still.rgb.tobytes() for still in frames}) > 1
    assert all(set(still.object_ids()) <= set(corpus.clips[0].object_ids) for still in frames)


def test_mixture_repeats_its_sources(tmp_path):
    for folder, names in (("one", "ab"), ("two", "xyz")):
        for name in names:
            write_still(tmp_path / folder / f"{name}.jpg", tmp_path / folder / f"{name}.png")
    mixture = StillMixture([(StillFolder(tmp_path / "one"), 2), (StillFolder(tmp_path / "two"), 1)])
    assert [mixture.name(number) for number in range(len(mixture))] == ["a", "b", "a", "b", "x", "y", "z"]
    assert mixture.read(rng(), 6).name == "z"
    with pytest.raises(ValueError, match="repeated 0 times"):
        StillMixture([(StillFolder(tmp_path / "one"), 0)])


def test_a_clip_gives_a_frame_that_shows_an_object_where_one_does():
    class SparseCorpus:
        """One clip of ten frames; the object is in the last alone."""

        root, clip = (
            "nowhere",
            ClipEntry(key="a", index=0, num_frames=10, width=4, height=4, object_ids=(1,), split="train"),
        )

        def split(self, _name):
            return [self.clip]

        def is_annotated(self, _key, _t):
            return True

        def instance_frames(self, _key):
            return []

        def read_frame(self, _key, t):
            return np.zeros((4, 4, 3), np.uint8), np.full((4, 4), t == 9, np.uint8)

    stills = CorpusStills(SparseCorpus())
    assert all(stills.read(np.random.default_rng(seed), 0).object_ids().tolist() == [1] for seed in range(5))


def test_of_overlapping_instances_the_smaller_is_on_top_and_crowds_are_ignored():
    masks = np.zeros((4, 6, 8), bool)
    masks[0, 1, 1], masks[1, :, :6], masks[2, 2:4], masks[3, :, 5:] = True, True, True, True
    ids = paint_instances(masks, [False, False, False, True])
    assert ids[1].tolist() == [2, 1, 2, 2, 2, 2, 255, 255]
    assert ids[2].tolist() == [3] * 8


def test_instances_beyond_254_are_ignored_the_smallest_first():
    masks = np.zeros((256, 257), bool)[:, None]
    for number, mask in enumerate(masks):
        mask[0, number] = True
    masks[:255, :, 256] = True
    ids = paint_instances(masks, [False] * 256)
    # 255 of two pixels, one of one: two are too many.
    assert sorted(set(ids[0, :256].tolist())) == [*range(1, 255), 255]
    assert ids[0, 255] == 255 and np.count_nonzero(ids[0, :256] == 255) == 2
