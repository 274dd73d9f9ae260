"""`vosforge-render export`: a finished corpus as the folders that public loaders read."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import tyro


@dataclass(frozen=True, kw_only=True)
class Export:
    """Copy a finished corpus into the folders of DAVIS 2017, YouTube-VOS or COCO; the same command goes on.

    JPEG bytes are copied, not encoded anew. OUT must be new, empty, or an unfinished export of the same corpus.
    """

    format: tyro.conf.Positional[Literal["davis", "youtube-vos", "coco"]]
    """layout to write"""
    dir: tyro.conf.Positional[str]
    """corpus: a folder or a URL"""
    out: tyro.conf.Positional[Path]
    """folder to write"""
    resolution: Literal["480p", "Full-Resolution"] = "480p"
    """davis: the folder name that the loader asks for; pictures keep their size"""


def run(arguments: Export) -> int:
    """Write the folders; returns 0."""
    from rich.console import Console

    from ...datagen.corpus.reader import Corpus
    from .options import place_of
    from .progress import counting_bar

    corpus = Corpus.open(place_of(arguments.dir))
    with counting_bar(Console(stderr=True), "clips") as show:
        if arguments.format == "davis":
            from ..exports.video import export_davis

            export_davis(corpus, arguments.out, arguments.resolution, show)
        elif arguments.format == "youtube-vos":
            from ..exports.video import export_youtube_vos

            export_youtube_vos(corpus, arguments.out, show)
        else:
            from ..exports.coco import export_coco

            export_coco(corpus, arguments.out, show)
    frames = sum(clip.num_frames for clip in corpus.clips)
    print(f"{arguments.out}: {len(corpus.clips)} clips, {frames} frames in the layout of {arguments.format}")
    return 0
