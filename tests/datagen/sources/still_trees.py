"""Tiny trees of the published layouts of still-image data sets, and reading one listed clip of a source."""

import pickle

import numpy as np
from PIL import Image
from vosforge.datagen.imaging.images import encode_jpeg

HEIGHT, WIDTH = 20, 30


def box_mask(left: int) -> np.ndarray:
    mask = np.zeros((HEIGHT, WIDTH), bool)
    mask[5:15, left : left + 8] = True
    return mask


def write_picture(path, shade: int = 90) -> bytes:
    path.parent.mkdir(parents=True, exist_ok=True)
    content = encode_jpeg(np.full((HEIGHT, WIDTH, 3), shade, np.uint8))
    path.write_bytes(content)
    return content


def write_mask(path, mask: np.ndarray, mode: str = "L") -> None:
    """Grey 0 and 255, with the edges of 1 and 254 that resampling and lossy tools leave; or another mode."""
    path.parent.mkdir(parents=True, exist_ok=True)
    grey = np.where(mask, np.uint8(254), np.uint8(1))
    grey[0], grey[8] = 0, np.where(mask[8], np.uint8(128), np.uint8(127))
    image = Image.fromarray(grey)
    image.convert(mode).save(path)


def write_pair(picture, mask, left: int = 3) -> bytes:
    write_mask(mask, box_mask(left))
    return write_picture(picture, 60 + left)


def read(source, name: str):
    """Return (content, frame) of a still, read as a worker does, which receives source and clip pickled."""
    clip = next(clip for clip in source.list_clips() if clip.name == name)
    content = pickle.loads(pickle.dumps(source)).read(pickle.loads(pickle.dumps(clip)))
    (frame,) = content.frames
    return content, frame


def listed(source) -> list[tuple[str, str]]:
    return [(clip.split, clip.name) for clip in source.list_clips()]


def duts(root):
    for folder, names in (("DUTS-TR", ("ILSVRC2012_test_00000004", "n01")), ("DUTS-TE", ("sun_a",))):
        for left, name in enumerate(names):
            tree = root / folder
            write_pair(tree / f"{folder}-Image" / f"{name}.jpg", tree / f"{folder}-Mask" / f"{name}.png", left)


def duts_repacked(root):
    for folder, names in (("DUTS-TR", ("ILSVRC2012_test_00000004", "n01")), ("DUTS-TE", ("sun_a",))):
        for left, name in enumerate(names):
            write_pair(root / folder / f"{name}.jpg", root / folder / f"{name}.png", left)


def ecssd(root):
    for left, name in enumerate(("0001", "0002")):
        write_pair(root / "images" / f"{name}.jpg", root / "ground_truth_mask" / f"{name}.png", left)


def hrsod(root):
    for part, name in (("train", "a_k"), ("test", "b_k")):
        write_pair(root / f"HRSOD_{part}" / f"{name}.jpg", root / f"HRSOD_{part}_mask" / f"{name}.png")


def big(root):
    for part, name in (("val", "cat_1"), ("test", "dog_2")):
        write_pair(root / part / f"{name}_im.jpg", root / part / f"{name}_gt.png")
        write_mask(root / part / f"{name}_seg.png", ~box_mask(0))


def msra10k(root):
    for name in ("100", "99"):
        write_pair(root / "Imgs" / f"{name}.jpg", root / "Imgs" / f"{name}.png")


def fss(root):
    for category in ("abacus", "ab_wheel"):
        for number in (1, 2, 10):
            write_picture(root / category / f"{number}.jpg")
            write_mask(root / category / f"{number}.png", box_mask(number), "RGB")


def side_by_side(root):
    for name in ("0001", "0002"):
        write_pair(root / f"{name}.jpg", root / f"{name}.png")
