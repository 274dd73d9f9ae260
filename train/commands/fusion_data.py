"""`vosforge-train fusion-data`: soft masks of a propagation network into a corpus; the same command resumes it."""

from __future__ import annotations

import dataclasses
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from tyro.conf import UseAppendAction, arg

from ...datagen.commands.farm_options import FarmOptions

if TYPE_CHECKING:
    from ...datagen.farm.farm import FarmSettings
    from ..fusion_data.settings import FusionDataSettings

STOPPED = 130


@dataclass(frozen=True, kw_only=True)
class FusionData(FarmOptions):
    """Run a propagation checkpoint over clips, from reference frames to both sides, and store its soft masks.

    What comes out is a corpus with the clips themselves and the masks beside them: the data of the fusion stages. The
    same command resumes it. Exit code 0 when every clip is there, 1 when some are missing (each is named with its
    reason), 2 for a mistake, or when no clip has masks that a fusion can be trained on.
    """

    checkpoint: Path
    """checkpoint of a propagation network; it must be reachable from every node"""
    data: str
    """corpus, a folder or a URL, whose clips are gone over"""
    out: str
    """folder or URL of the new corpus"""
    preset: Literal["bl30k", "davis"] | None = None
    """numbers of a published set: bl30k is separation 30, memory every 20, reach 90 (the defaults); davis is separation
    5, memory every 10, 20 and 30 (each clip three times), whole clips; options given besides are taken instead"""
    separation: int | None = None
    """frames between two reference frames"""
    memory_every: Annotated[tuple[int, ...], UseAppendAction, arg(metavar="N")] = ()
    """frames between two memory frames; more than the 5 of inference, for errors that fusion can learn from; may be
    repeated, then every clip is made once with each"""
    reach: int | None = None
    """frames to both sides of a reference that its masks are carried to; 0 for the whole clip"""
    min_area: int | None = None
    """only objects with more pixels than this in the reference frame (100)"""
    max_objects: int | None = None
    """most objects of a reference, the largest are taken (5)"""
    top_k: int | None = None
    """memory cells each query cell reads (50); 0 reads all"""
    short_side: int | None = None
    """pixels of the network input's shorter side; the frame's own without it"""
    split: Literal["train", "val", "all"] = "all"
    """clips of the corpus; those of train and val stay apart in the new one"""
    first: int = 0
    """index of the first clip"""
    count: int | None = None
    """number of clips from there on; all without it"""
    name: str = "fusion"
    """prefix of the clip keys"""
    clips_per_shard: int = 8
    """clips in one shard"""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    """where the network runs; auto takes CUDA where this machine has it, cuda also where only the nodes have it"""
    gpus_per_task: float | None = None
    """share of a GPU that one clip occupies on CUDA, e.g. 0.5; one GPU when left out"""


def run(command: FusionData) -> int:
    """Make the fusion data; returns 0 when every clip is there, 1 when some are missing, 130 when it was stopped.

    ValueError for a mistake, and when what was made is nothing to train on.
    """
    from ...datagen.commands.farm_run import run_clips
    from ...datagen.storage.store import open_store
    from ..fusion_data.job import FusionDataJob, clips_without_samples, make_fusion_data

    device = command_device(command)
    farm = fusion_farm(command, device)
    job = FusionDataJob(
        root=command.out,
        source=command.data,
        checkpoint=str(command.checkpoint),
        settings=fusion_settings(command),
        split=command.split,
        first=command.first,
        count=command.count,
        name=command.name,
        clips_per_shard=command.clips_per_shard,
        device=device,
    )
    try:
        code = run_clips(
            lambda on_begin, on_clip: make_fusion_data(job, farm, on_begin=on_begin, on_clip=on_clip),
            "propagating masks",
            "clips made",
            "mend the cause",
        )
    except KeyboardInterrupt:
        print("stopped; what is finished is kept, the same command goes on from there", file=sys.stderr)
        return STOPPED
    if open_store(command.out).size("index.json") is not None:
        empty = clips_without_samples(job.root)
        if empty:
            why = "have no two references that know one object in a third frame"
            print(f"{len(empty)} clips, such as {empty[0]}, {why}: training passes over them")
    return code


def fusion_settings(command: FusionData) -> FusionDataSettings:
    """The settings of the preset, with the options that were given in their place."""
    from ..fusion_data.settings import PRESETS

    names = ("separation", "reach", "min_area", "max_objects", "top_k", "short_side")
    given = {name: getattr(command, name) for name in names if getattr(command, name) is not None}
    given |= {name: None for name in ("reach", "top_k") if given.get(name) == 0}
    if command.memory_every:
        given["memory_every"] = tuple(command.memory_every)
    return dataclasses.replace(PRESETS[command.preset or "bl30k"], **given)


def command_device(command: FusionData) -> Literal["cpu", "cuda"]:
    """Where the network runs; ValueError when CUDA is asked for on this machine alone and is not there."""
    from ..device import choose_device

    if command.device == "cuda" and command.address is not None:
        return "cuda"
    return "cuda" if choose_device(command.device).type == "cuda" else "cpu"


def fusion_farm(command: FusionData, device: Literal["cpu", "cuda"]) -> FarmSettings:
    """The settings of the farm, with the GPU that a clip takes on CUDA."""
    if device == "cpu" and command.gpus_per_task:
        raise ValueError(f"--gpus-per-task {command.gpus_per_task:g} without a GPU; add --device cuda, or leave it out")
    gpus = 0.0 if device == "cpu" else 1.0 if command.gpus_per_task is None else command.gpus_per_task
    return dataclasses.replace(command.farm(), gpus_per_task=gpus)
