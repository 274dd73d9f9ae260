"""Folders of pictures and masks as stills, and of pictures alone as backgrounds."""

import contextlib
import hashlib
from collections.abc import Iterable, Sequence
from pathlib import Path

import cv2
import numpy as np

from ..corpus.records import IGNORE_ID
from ..imaging.images import decode_jpeg
from ..sources.masks import decode_mask
from .stills import Still

MAX_MASKS_LOOKED_AT = 1000
PICTURE_ENDINGS = (".jpg", ".jpeg", ".png", ".webp", ".bmp")
_PNG_BIT_DEPTH, _PNG_COLOUR_TYPE, _GREY = 24, 25, 0
_MASK_WORDS = ("annotations", "annotation", "masks", "mask", "gt")
_PICTURE_WORDS = ("jpegimages", "images", "image", "img", "imgs")


class StillFolder:
    """A folder of pictures with masks of the same stem: side by side, or in sibling folders, at any depth.

    Side by side, a mask is the .png beside a picture .jpg of its stem (DUTS, FSS-1000 and others as repacked for
    training). In sibling folders, one has "mask", "annotation" or "gt" in its name and the other the same name with
    "image" in its place (DUTS-TR-Image, DUTS-TR-Mask). Palette masks hold ids; in grey masks 128 and above is object 1.

    ValueError when there is no pair, when pictures lack their masks or masks their pictures (the first is named), or
    when no mask shows an object.
    """

    def __init__(self, root: Path | str) -> None:
        self.root = Path(root).resolve()
        if not self.root.is_dir():
            raise ValueError(f"{root} is not a folder; give a folder of pictures and masks")
        self._pairs = find_pairs(self.root)
        _check_objects(self.root, [mask for _, mask in self._pairs])

    def __len__(self) -> int:
        return len(self._pairs)

    def name(self, number: int) -> str:
        """Return the path of the picture below the root, without its ending."""
        return self._pairs[number][0].relative_to(self.root).with_suffix("").as_posix()

    def read(self, rng: np.random.Generator, number: int) -> Still:
        """Return a still; ValueError names the file that is broken, or two that differ in size."""
        picture, mask = self._pairs[number]
        rgb, ids = read_picture(picture), read_ids(mask)
        if rgb.shape[:2] != ids.shape:
            sizes = " and ".join(f"{shape[1]}x{shape[0]}" for shape in (rgb.shape, ids.shape))
            raise ValueError(f"{picture} and its mask {mask} differ in size: {sizes} pixels; repair or remove them")
        return Still(name=self.name(number), rgb=rgb, ids=ids)

    def fingerprint(self) -> str:
        """Return a hash of names and sizes of the files."""
        return _fingerprint(self.root, [path for pair in self._pairs for path in pair])


class Backgrounds:
    """A folder of pictures without masks, for backgrounds."""

    def __init__(self, root: Path | str) -> None:
        self.root = Path(root).resolve()
        if not self.root.is_dir():
            raise ValueError(f"{root} is not a folder; give a folder of pictures")
        self._pictures = _files(self.root)
        if not self._pictures:
            raise ValueError(f"{root} holds no picture ({', '.join(PICTURE_ENDINGS)}); give a folder of pictures")

    def __len__(self) -> int:
        return len(self._pictures)

    def name(self, number: int) -> str:
        """Return the path of the picture below the root."""
        return self._pictures[number].relative_to(self.root).as_posix()

    def read(self, rng: np.random.Generator, number: int) -> Still:
        """Return a picture as a still without objects."""
        rgb = read_picture(self._pictures[number])
        return Still(name=self.name(number), rgb=rgb, ids=np.zeros(rgb.shape[:2], np.uint8))

    def fingerprint(self) -> str:
        """Return a hash of names and sizes of the files."""
        return _fingerprint(self.root, self._pictures)


def find_pairs(root: Path) -> list[tuple[Path, Path]]:
    """Return (picture, mask) of every still below a folder, sorted by name; see `StillFolder` for errors."""
    folders: dict[Path, dict[str, list[Path]]] = {}
    for path in _files(root):
        folders.setdefault(path.parent, {}).setdefault(path.stem, []).append(path)
    partners = {folder: other for folder in folders if (other := _picture_folder(folder, folders)) is not None}
    pairs: list[tuple[Path, Path]] = []
    alone: list[tuple[Path, str]] = []
    for folder, stems in folders.items():
        if folder in partners:
            pictures = folders[partners[folder]]
            pairs += [(pictures[stem][0], paths[0]) for stem, paths in stems.items() if stem in pictures]
            alone += [(paths[0], f"a picture in {partners[folder]}") for s, paths in stems.items() if s not in pictures]
            alone += [(paths[0], f"a mask in {folder}") for stem, paths in pictures.items() if stem not in stems]
        elif folder not in partners.values():
            for stem, paths in stems.items():
                masks = [path for path in paths if path.suffix.lower() == ".png"]
                pictures = [path for path in paths if path not in masks]
                if masks and pictures:
                    pairs.append((pictures[0], masks[0]))
                else:
                    alone.append((paths[0], f"its picture {stem}.jpg" if masks else f"its mask {stem}.png"))
    expected = "expected X.jpg beside X.png, or folders such as Image and Mask with the same stems"
    if not pairs and (root / "JPEGImages").is_dir():
        raise ValueError(
            f"{root} is a tree of DAVIS or YouTube-VOS, not of pairs of picture and mask; pack it into a corpus "
            "(vosforge-data pack) and give that"
        )
    if not pairs:
        found = f", e.g. {alone[0][0]} lacks {alone[0][1]}" if alone else ""
        raise ValueError(f"{root} holds no pair of picture and mask{found}; {expected}")
    if alone:
        raise ValueError(
            f"{len(alone)} files below {root} lack their partner, the first is {alone[0][0]}, which lacks "
            f"{alone[0][1]}; add or remove them ({expected})"
        )
    return sorted(pairs)


def read_picture(path: Path) -> np.ndarray:
    """Return a picture as uint8 (H, W, 3), RGB; ValueError names a file that cannot be decoded."""
    content = path.read_bytes()
    try:
        if content.startswith(b"\xff\xd8"):
            return decode_jpeg(content)
        bgr = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR) if content else None
        if bgr is None:
            raise ValueError(f"{len(content)} bytes cannot be decoded as a picture")
    except ValueError as error:
        raise ValueError(f"{path} is broken: {error}") from error
    return cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB)


def read_ids(path: Path) -> np.ndarray:
    """Return the ids of a mask file, uint8 (H, W): palette indices, or 1 where a grey picture is 128 or above."""
    content = path.read_bytes()
    try:
        is_png = content.startswith(b"\x89PNG") and len(content) > _PNG_COLOUR_TYPE
        if is_png and content[_PNG_COLOUR_TYPE] == _GREY and content[_PNG_BIT_DEPTH] == 8:
            grey = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_GRAYSCALE)
            if grey is None:
                raise ValueError(f"{len(content)} bytes cannot be decoded as a mask picture")
            return cv2.threshold(grey, 127, 1, cv2.THRESH_BINARY)[1]
        return decode_mask(content, "either")
    except ValueError as error:
        raise ValueError(f"{path} is broken: {error}") from error


def _check_objects(root: Path, masks: Sequence[Path]) -> None:
    """Refuse masks none of which shows an object: read until one does, which is the first as a rule."""
    # Spread over the folder, which may begin with empty ones; broken ones are for `read` to name.
    looked_at = masks[:: -(-len(masks) // MAX_MASKS_LOOKED_AT)]
    num_read = 0
    for mask in looked_at:
        with contextlib.suppress(ValueError, OSError):
            ids = read_ids(mask)
            num_read += 1
            if np.any((ids != 0) & (ids != IGNORE_ID)):
                return
    if num_read:
        raise ValueError(
            f"none of the {num_read} masks looked at in {root} shows an object, e.g. {looked_at[0]}; give masks with "
            "objects (in grey ones they are 128 and above)"
        )


def _fingerprint(root: Path, paths: Sequence[Path]) -> str:
    lines = [f"{path.relative_to(root).as_posix()} {path.stat().st_size}" for path in paths]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:16]


def _files(root: Path) -> list[Path]:
    return sorted(path for path in root.rglob("*") if path.suffix.lower() in PICTURE_ENDINGS and path.is_file())


def _picture_folder(folder: Path, folders: Iterable[Path]) -> Path | None:
    """The sibling with the pictures to a folder of masks, None when this is not a folder of masks."""
    name = folder.name.lower()
    word = next((word for word in _MASK_WORDS if word in name), None)
    if word is None:
        return None
    names = {name.replace(word, picture_word, 1) for picture_word in _PICTURE_WORDS}
    siblings = sorted(other for other in folders if other.parent == folder.parent and other.name.lower() in names)
    return siblings[0] if siblings else None
