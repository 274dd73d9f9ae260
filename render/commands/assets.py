"""`vosforge-render assets`: measure every asset of folders and say what can be used."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import tyro

from .options import check_least

FILE_WIDTH = 200
"""Columns of the tables where they do not go to a terminal."""


@dataclass(frozen=True, kw_only=True)
class Assets:
    """Measure every model, texture, background and environment map under folders; say what can be used and what not.

    Pictures are told apart: one that a model refers to is part of it, a PBR set or a picture in a folder named textures
    or materials is a texture, any other is a background. Exit code 1 when nothing can be used.
    """

    dirs: tyro.conf.Positional[list[Path]]
    """folders, searched recursively"""
    json: Path | None = None
    """file for the whole scan as JSON"""
    val_share: float = 0.1
    """share of the models that val clips alone would show"""
    workers: int = 1
    """models measured at once"""
    all: bool = False
    """list every asset, not the quarantined ones alone"""


def run(arguments: Assets) -> int:
    """Scan, print tables, write the JSON file; returns 0, or 1 when nothing can be used."""
    from rich.console import Console

    from ...datagen.storage.files import atomic_write_json
    from ..assets.cache import load_measurements, save_measurements
    from ..assets.folders import find_all_kinds
    from ..assets.report import as_record, tables
    from ..assets.scan import as_pool, check_assets
    from .progress import counting_bar

    check_least("--workers", arguments.workers, 1)
    if not 0.0 <= arguments.val_share < 1.0:
        raise ValueError(f"--val-share {arguments.val_share}: must be at least 0 and below 1")
    candidates = find_all_kinds(arguments.dirs)
    known = load_measurements()
    with counting_bar(Console(stderr=True), "measuring models") as bar:
        checked = check_assets(
            candidates, known, num_workers=arguments.workers, on_measured=bar, on_batch=save_measurements
        )
    pool = as_pool(checked, arguments.val_share)
    console = Console(markup=False, highlight=False)
    if not console.is_terminal:
        console = Console(markup=False, highlight=False, width=FILE_WIDTH)
    for table in tables(pool, is_whole=arguments.all):
        console.print(table)
    if arguments.json is not None:
        atomic_write_json(arguments.json, as_record(pool))
    return 0 if any(not asset.reason for asset in pool.assets) else 1
