"""Data sets of still images with one object each: DUTS, ECSSD, HRSOD, BIG, MSRA10K, FSS-1000.

Each is read as it was published, and as the pictures beside their masks that training code of video object
segmentation is handed (x.jpg and x.png in one folder).
"""

from typing import ClassVar

from .pairs import PairFolders, PairSource, Part, find_pairs, read_pair
from .source import ClipContent, SourceClip

_SIDE_BY_SIDE = PairFolders(pictures=".", masks=".")


class Duts(PairSource):
    """DUTS-TR/DUTS-TR-Image/*.jpg with DUTS-TR/DUTS-TR-Mask/*.png, or repacked DUTS-TR/*.jpg with DUTS-TR/*.png
    side by side; DUTS-TE likewise.

    TE goes to val. Source: Wang et al., CVPR 2017.
    """

    name: ClassVar[str] = "duts"
    splits: ClassVar[tuple[str, ...]] = ("train", "test")
    summary: ClassVar[str] = "DUTS: 10,553 + 5,019 salient objects"
    licence: ClassVar[str] = "none stated; see saliencydetection.net/duts"
    parts = tuple(
        Part(
            name=folder,
            split=split,
            corpus_split=corpus_split,
            layouts=(
                PairFolders(pictures=f"{folder}/{folder}-Image", masks=f"{folder}/{folder}-Mask"),
                PairFolders(pictures=folder, masks=folder),
            ),
        )
        for folder, split, corpus_split in (("DUTS-TR", "train", "train"), ("DUTS-TE", "test", "val"))
    )


class Ecssd(PairSource):
    """images/*.jpg with ground_truth_mask/*.png, or repacked *.jpg with *.png side by side.

    It has no split: all of it is for training. Source: Yan et al., CVPR 2013.
    """

    name: ClassVar[str] = "ecssd"
    summary: ClassVar[str] = "ECSSD: 1,000 salient objects in complex scenes"
    licence: ClassVar[str] = "none stated; see the ECSSD page of the Chinese University of Hong Kong"
    parts = (
        Part(
            name="",
            split=None,
            corpus_split="train",
            layouts=(PairFolders(pictures="images", masks="ground_truth_mask"), _SIDE_BY_SIDE),
        ),
    )


class Hrsod(PairSource):
    """HRSOD_train/*.jpg with HRSOD_train_mask/*.png and HRSOD_test/*.jpg with HRSOD_test_mask/*.png, or repacked (as
    HRSOD_small) *.jpg with *.png side by side.

    The test set goes to val; the repacked pictures, which are of both, to train. Source: Zeng et al., ICCV 2019.
    """

    name: ClassVar[str] = "hrsod"
    splits: ClassVar[tuple[str, ...]] = ("train", "test")
    summary: ClassVar[str] = "HRSOD: 1,610 + 400 salient objects in high resolution"
    licence: ClassVar[str] = "none stated; pictures from Flickr"
    parts = (
        *(
            Part(
                name=folder,
                split=split,
                corpus_split=corpus_split,
                layouts=(PairFolders(pictures=folder, masks=f"{folder}_mask"),),
            )
            for folder, split, corpus_split in (("HRSOD_train", "train", "train"), ("HRSOD_test", "test", "val"))
        ),
        Part(name="", split=None, corpus_split="train", layouts=(_SIDE_BY_SIDE,)),
    )


class Big(PairSource):
    """val/*_im.jpg with val/*_gt.png and test/*_im.jpg with test/*_gt.png, one of these folders itself, or repacked
    (as BIG_small) *.jpg with *.png side by side.

    It has no training part; all of it goes to train, as in the pretraining of MiVOS (give `split` to hold one part
    out). Source: Cheng et al., CascadePSP, CVPR 2020.
    """

    name: ClassVar[str] = "big"
    splits: ClassVar[tuple[str, ...]] = ("val", "test")
    summary: ClassVar[str] = "BIG: 50 + 100 objects, 2K to 6K pixels wide"
    licence: ClassVar[str] = "no commercial use; pictures from Flickr"
    parts = (
        *(
            Part(
                name=split,
                split=split,
                corpus_split="train",
                layouts=(PairFolders(pictures=split, masks=split, picture_ending="_im", mask_ending="_gt"),),
            )
            for split in ("val", "test")
        ),
        Part(
            name="",
            split=None,
            corpus_split="train",
            layouts=(PairFolders(pictures=".", masks=".", picture_ending="_im", mask_ending="_gt"), _SIDE_BY_SIDE),
        ),
    )


class Msra10k(PairSource):
    """Imgs/*.jpg with Imgs/*.png side by side, or the same without the folder Imgs.

    It has no split: all of it is for training. Source: Cheng et al., TPAMI 2015.
    """

    name: ClassVar[str] = "msra10k"
    summary: ClassVar[str] = "MSRA10K: 10,000 salient objects"
    licence: ClassVar[str] = "none stated; see mmcheng.net/msra10k"
    parts = (
        Part(
            name="",
            split=None,
            corpus_split="train",
            layouts=(PairFolders(pictures="Imgs", masks="Imgs"), _SIDE_BY_SIDE),
        ),
    )


class Fss1000(PairSource):
    """<class>/1.jpg with <class>/1.png, and so on: one folder a class, its pictures numbered.

    It has no split: all of it is for training. The class is the category of the object. Source: Li et al., CVPR 2020.
    """

    name: ClassVar[str] = "fss-1000"
    summary: ClassVar[str] = "FSS-1000: 1,000 classes, 10 objects each"
    licence: ClassVar[str] = "none stated; see github.com/HKUSTCV/FSS-1000"
    parts = ()

    def find_clips(self) -> list[SourceClip]:
        """Return one clip for each pair of all classes, none unless a folder has the pair 1 (then it is a class)."""
        folders = [entry for entry in self.root.iterdir() if entry.is_dir() and not entry.name.startswith(".")]
        if not any((folder / "1.jpg").is_file() and (folder / "1.png").is_file() for folder in folders):
            return []
        return [
            SourceClip(
                name=f"{folder.name}/{stem}",
                details={"picture": f"{folder.name}/{picture.name}", "mask": f"{folder.name}/{mask.name}"},
            )
            for folder in folders
            for stem, picture, mask in find_pairs(folder, _SIDE_BY_SIDE, with_lone=True)
        ]

    def expected(self) -> str:
        """Return what must lie below the root, for messages."""
        return "folders of classes with 1.jpg, 1.png, 2.jpg, 2.png and so on"

    def read(self, clip: SourceClip) -> ClipContent:
        """Read one picture with its mask; the mask is an RGB picture of black and white."""
        return read_pair(self.root, clip, {"category": clip.name.partition("/")[0]})
