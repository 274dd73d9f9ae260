"""Scan asset folders: find, check and measure every file; what is broken is quarantined with its reason.

A broken file never stops a run, and a file that crashes Blender costs that file alone.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image

from .cache import Measurements, load_measurements, save_measurements
from .files import find_assets, label_of
from .measure import content_of, measure_models
from .pictures import read_radiance
from .pool import KINDS, Asset, AssetPool

SMALLEST_IMAGE_SIDE = 16
ENVIRONMENT_ASPECT = (1.9, 2.1)
"""Width / height of an equirectangular picture of the whole sphere, with room for a cropped row."""
CHECKING_THREADS = 4
MEASURED = ("faces", "bounds", "num_parts", "textured", "rigged", "animated", "reason")


@dataclass(frozen=True, kw_only=True)
class AssetFolders:
    """Folders by kind of asset, searched recursively; a kind without any is served by the procedural set."""

    models: tuple[Path, ...] = ()
    textures: tuple[Path, ...] = ()
    backgrounds: tuple[Path, ...] = ()
    hdris: tuple[Path, ...] = ()

    def by_kind(self) -> dict[str, tuple[Path, ...]]:
        """{kind of asset: its folders}."""
        return dict(zip(KINDS, (self.models, self.textures, self.backgrounds, self.hdris), strict=True))


def scan_assets(
    models: Sequence[Path],
    textures: Sequence[Path],
    backgrounds: Sequence[Path],
    known: Measurements | None = None,
    limit_seconds: float = 120.0,
    *,
    hdris: Sequence[Path] = (),
    val_share: float = 0.0,
    **measuring: Any,
) -> AssetPool:
    """Find and measure every asset of the given folders.

    known: measurements of models by content; new ones are added to it, so that a second scan is quick. measuring: as
    `measure_models` takes it. Raises ValueError for a missing folder, a folder without any asset of its kind, or a kind
    all of whose assets are broken.
    """
    known = {} if known is None else known
    found: list[Asset] = []
    for kind, folders in zip(KINDS, (models, textures, backgrounds, hdris), strict=True):
        candidates = [
            asset for folder in folders for asset in find_assets(kind, Path(folder), label_of(folder, folders))
        ]
        checked = check_assets(candidates, known, limit_seconds=limit_seconds, **measuring)
        broken = [asset for asset in checked if asset.reason]
        if checked and len(broken) == len(checked):
            raise ValueError(
                f"none of the {len(checked)} {kind}s in {', '.join(map(str, folders))} can be used; "
                f"the first, {broken[0].path}: {broken[0].reason}"
            )
        found += checked
    return as_pool(found, val_share)


def scan_with_cache(
    folders: AssetFolders,
    known: Measurements,
    val_share: float = 0.0,
    num_workers: int = 1,
    on_measured: Callable[[int, int], None] = lambda _done, _total: None,
) -> AssetPool:
    """`scan_assets` with the measurements of this machine's cache; those in `known` (a corpus's own) go first.

    What is measured is added to both, batch by batch.
    """
    merged = load_measurements() | known

    def keep(answers: Measurements) -> None:
        save_measurements(answers)
        known.update(answers)

    pool = scan_assets(
        folders.models,
        folders.textures,
        folders.backgrounds,
        merged,
        hdris=folders.hdris,
        val_share=val_share,
        num_workers=num_workers,
        on_measured=on_measured,
        on_batch=keep,
    )
    contents = {content_of(asset) for asset in pool.assets if asset.kind == "model"}
    known.update({content: merged[content] for content in contents if content in merged})
    return pool


def as_pool(assets: Sequence[Asset], val_share: float = 0.0) -> AssetPool:
    """A pool of assets in the order that deals depend on: by kind, then by name."""
    return AssetPool(assets=tuple(sorted(assets, key=lambda asset: (asset.kind, asset.name))), val_share=val_share)


def check_assets(candidates: Sequence[Asset], known: Measurements, **measuring: Any) -> list[Asset]:
    """The candidates with their measurements, or the reason why they cannot be used; see `measure_models`."""
    readable = [asset for asset in candidates if asset.kind == "model" and not asset.reason]
    answers = measure_models(readable, known, **measuring) if readable else {}
    known.update(answers)
    with ThreadPoolExecutor(CHECKING_THREADS) as threads:
        return list(threads.map(lambda asset: _checked(asset, answers), candidates))


def _checked(asset: Asset, answers: Measurements) -> Asset:
    if asset.reason:
        return asset
    if asset.kind == "model":
        answer = {name: value for name, value in answers[content_of(asset)].items() if name in MEASURED}
        if "bounds" in answer:
            answer["bounds"] = tuple(answer["bounds"])
        return dataclasses.replace(asset, **answer)
    if asset.kind == "environment":
        return dataclasses.replace(asset, reason=_fault_of_environment(asset.path))
    reason = _fault_of_picture(asset.path)
    for kind, path in asset.maps:
        reason = reason or ((fault := _fault_of_picture(path)) and f"{kind} map: {fault}")
    return dataclasses.replace(asset, reason=reason)


def _fault_of_picture(path: str) -> str:
    """Why a picture cannot be used, or ''; decoded whole, so that a truncated file is found before a scene needs it."""
    try:
        with Image.open(path) as image:
            image.load()
            if min(image.size) < SMALLEST_IMAGE_SIDE:
                return f"image of {image.size[0]}x{image.size[1]} is smaller than {SMALLEST_IMAGE_SIDE} pixels"
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        return f"image cannot be decoded: {str(error).replace(path, Path(path).name)}"
    return ""


def _fault_of_environment(path: str) -> str:
    """Why an environment map cannot be used, or ''."""
    try:
        radiance = read_radiance(path)
    except ValueError as error:
        return str(error).replace(path, Path(path).name)
    height, width = radiance.shape[:2]
    if height < SMALLEST_IMAGE_SIDE or not ENVIRONMENT_ASPECT[0] <= width / height <= ENVIRONMENT_ASPECT[1]:
        return f"a picture of {width}x{height} is not equirectangular: its width must be twice its height"
    if radiance.max() <= 0 or radiance.min() < 0:
        return f"radiances from {radiance.min():.3g} to {radiance.max():.3g} light nothing; they must be positive"
    return ""
