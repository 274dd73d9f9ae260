"""Tiny trees of the published layouts of PASCAL VOC, SBD, COCO and LVIS."""

import json

import numpy as np
from scipy.io import savemat
from scipy.sparse import csc_matrix
from still_trees import HEIGHT, WIDTH, write_picture
from vosforge.datagen.imaging.images import encode_palette_png


def box_mask(left: int, top: int, right: int, bottom: int) -> np.ndarray:
    mask = np.zeros((HEIGHT, WIDTH), bool)
    mask[top:bottom, left:right] = True
    return mask


def write_voc(root, ids=None, categories=None) -> None:
    """A dog (12) and a person (15) with void borders in 2007_000032; the same masks in the other two pictures."""
    if ids is None:
        ids = np.zeros((HEIGHT, WIDTH), np.uint8)
        ids[2:12, 2:12], ids[3:11, 3:11] = 255, 1
        ids[5:18, 15:28], ids[6:17, 16:27] = 255, 2
        categories = np.where(ids == 1, 12, np.where(ids == 2, 15, ids)).astype(np.uint8)
    for name in ("2007_000032", "2007_000033", "2008_000100"):
        write_picture(root / "JPEGImages" / f"{name}.jpg")
        for kind, values in (("SegmentationObject", ids), ("SegmentationClass", categories)):
            (root / kind).mkdir(exist_ok=True)
            (root / kind / f"{name}.png").write_bytes(encode_palette_png(values))
    write_picture(root / "JPEGImages" / "2012_detection_only.jpg")
    lists = root / "ImageSets" / "Segmentation"
    lists.mkdir(parents=True)
    (lists / "train.txt").write_text("2007_000032\n2008_000100\n")
    (lists / "val.txt").write_text("2007_000033\n")
    (lists / "trainval.txt").write_text("2007_000032\n2007_000033\n2008_000100\n")


def write_sbd(root, segmentation=None, categories=(12, 15), compressed: bool = True) -> None:
    """Two instances a picture; 2007_000033 is to train in SBD, but in val of VOC."""
    if segmentation is None:
        segmentation = np.zeros((HEIGHT, WIDTH), np.uint8)
        segmentation[3:11, 3:11], segmentation[6:17, 16:27] = 1, 2
    boundaries = np.empty((len(categories), 1), object)
    for number in range(len(categories)):
        boundaries[number, 0] = csc_matrix(segmentation == number + 1)
    record = {
        "Segmentation": segmentation,
        "Boundaries": boundaries,
        "Categories": np.array(categories, np.float64)[:, None],
    }
    (root / "inst").mkdir(parents=True)
    for name in ("2008_000002", "2007_000033", "2008_000100", "2008_000003"):
        write_picture(root / "img" / f"{name}.jpg")
        savemat(root / "inst" / f"{name}.mat", {"GTinst": record}, do_compression=compressed)
    (root / "train.txt").write_text("2008_000002\n2007_000033\n2008_000100\n")
    (root / "val.txt").write_text("2008_000003\n")


POLYGON = {
    "segmentation": [[2, 3, 12, 3, 12, 13, 2, 13], [20, 3, 25, 3, 25, 8, 20, 8], [1, 1, 2, 2]],
    "iscrowd": 0,
    "image_id": 9,
    "category_id": 18,
    "id": 41,
    "area": 125.0,
    "bbox": [2, 3, 23, 10],
}
OVERLAPPING = {**POLYGON, "segmentation": [[8, 5, 16, 5, 16, 10, 8, 10]], "category_id": 1, "id": 40, "area": 40.0}
CROWD = {
    **POLYGON,
    "segmentation": {"size": [HEIGHT, WIDTH], "counts": [10, 5, 20 * 10 - 15, 4, 20 * 20 - 4]},
    "iscrowd": 1,
    "category_id": 1,
    "id": 900100000009,
    "area": 9.0,
}
CATEGORIES = [
    {"id": 1, "name": "person", "supercategory": "person"},
    {"id": 18, "name": "dog", "supercategory": "animal"},
]


def coco_image(image_id: int, folder: str) -> dict:
    return {
        "license": 4,
        "file_name": f"{image_id:012d}.jpg",
        "coco_url": f"http://images.cocodataset.org/{folder}/{image_id:012d}.jpg",
        "height": HEIGHT,
        "width": WIDTH,
        "flickr_url": "http://farm5.staticflickr.com/x.jpg",
        "id": image_id,
    }


def write_coco(root, annotations=(POLYGON, OVERLAPPING, CROWD), year: int = 2017, pictures: str = "") -> None:
    """Image 9 is annotated, image 25 is not, image 30 has a crowd alone; image 139 is in val."""
    (root / "annotations").mkdir(parents=True)
    lone_crowd = {**CROWD, "image_id": 30, "id": 900100000030}
    for split, image_ids, entries in (
        ("train", (25, 30, 9), [*annotations, lone_crowd]),
        ("val", (139,), [{**POLYGON, "image_id": 139}]),
    ):
        folder = f"{split}{year}"
        content = {
            "info": {"description": "COCO", "year": year},
            "licenses": [
                {"url": "http://creativecommons.org/licenses/by/2.0/", "id": 4, "name": "Attribution License"}
            ],
            "images": [coco_image(image_id, folder) for image_id in image_ids],
            "annotations": entries,
            "categories": CATEGORIES,
        }
        (root / "annotations" / f"instances_{split}{year}.json").write_text(json.dumps(content))
        for image_id in image_ids:
            write_picture(root / pictures / folder / f"{image_id:012d}.jpg")


def write_lvis(root, coco) -> None:
    """Val has a picture of train2017, as in LVIS."""
    root.mkdir(parents=True, exist_ok=True)
    for split, image_id, folder in (("train", 9, "train2017"), ("val", 25, "train2017"), ("val", 139, "val2017")):
        path = root / f"lvis_v1_{split}.json"
        image = coco_image(image_id, folder)
        del image["file_name"]
        image |= {"neg_category_ids": [7], "not_exhaustive_category_ids": [18]}
        annotation = {key: value for key, value in POLYGON.items() if key != "iscrowd"}
        annotation |= {"image_id": image_id, "id": image_id}
        content = {"info": {}, "annotations": [], "images": [], "licenses": []}
        if path.exists():
            content = json.loads(path.read_text())
        content["annotations"].append(annotation)
        content["images"].append(image)
        content["categories"] = [{"id": 18, "name": "dog", "synset": "dog.n.01", "frequency": "f", "def": "a\u00efe"}]
        path.write_text(json.dumps(content, ensure_ascii=False), encoding="utf-8")
        write_picture(coco / folder / f"{image_id:012d}.jpg")
