"""Options that say what is rendered, shared by the commands that render; checked before anything is written."""

from __future__ import annotations

import dataclasses
import importlib.util
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import tyro

if TYPE_CHECKING:
    from ..assets.scan import AssetFolders
    from ..recipes import RecipeSettings

Repeated = tyro.conf.UseAppendAction
SIZES = {"": 1, "K": 2**10, "M": 2**20, "G": 2**30, "T": 2**40}


@dataclass(frozen=True, kw_only=True)
class AssetOptions:
    """Folders of assets; what is left out is procedural."""

    models: Annotated[list[Path], Repeated] = field(default_factory=list)
    """Folder of models (ShapeNetCore.v2, Objaverse, or OBJ, glTF, GLB, PLY, STL, FBX files); may be repeated.
    Procedural shapes when left out."""
    textures: Annotated[list[Path], Repeated] = field(default_factory=list)
    """Folder of textures; the maps of a PBR set make one texture. Procedural textures when left out."""
    backgrounds: Annotated[list[Path], Repeated] = field(default_factory=list)
    """Folder of background pictures. Procedural backgrounds when left out."""
    hdris: Annotated[list[Path], Repeated] = field(default_factory=list)
    """Folder of environment maps (.hdr, .exr), for recipes that use them. Procedural environments when left out."""

    def folders(self) -> AssetFolders:
        """The folders by kind of asset."""
        from ..assets.scan import AssetFolders

        return AssetFolders(
            models=tuple(self.models),
            textures=tuple(self.textures),
            backgrounds=tuple(self.backgrounds),
            hdris=tuple(self.hdris),
        )


@dataclass(frozen=True, kw_only=True)
class SceneOptions(AssetOptions):
    """What the clips show and how they are rendered."""

    recipe: str = "bl30k"
    """bl30k, bl30k-plus (environments, lit backgrounds, deformation, physics, blur and more), or tiny for a quick
    look."""
    frames: int | None = None
    """Frames per clip; the recipe's own when left out (bl30k: 160)."""
    size: str | None = None
    """Frame size as WIDTHxHEIGHT; the recipe's own when left out (bl30k: 768x512)."""
    samples: int | None = None
    """Cycles samples per pixel; the recipe's own when left out."""
    passes: str = "ids"
    """Ground truth to store, comma-separated: ids (always there), depth, normals, flow, coordinates, amodal, tracks;
    or all."""
    probability: Annotated[list[str], Repeated] = field(default_factory=list)
    """NAME=P sets one probability of the recipe, e.g. hdri=0.5; may be repeated."""
    seed: int = 0
    """Seed of the corpus: the same seed, settings and assets give the same bytes."""
    threads: int = 1
    """CPU threads of one Blender process."""
    device: Literal["auto", "cpu", "cuda", "optix"] = "auto"
    """What renders; auto takes OptiX, then CUDA, then the CPU."""
    engine: Literal["cycles", "eevee"] = "cycles"
    """eevee needs a real GPU; ground truth comes from Cycles either way."""
    val_every: int = 10
    """Every n-th clip belongs to the val split; 0 for none."""
    val_share: float | None = None
    """Share of the models that only val clips show; 1 / --val-every when left out, 0 lets every model serve both."""
    clip_limit: float = 3600.0
    """Wall-clock limit of one clip in seconds; a process that takes longer is killed."""
    memory_limit: str | None = None
    """Memory limit of one Blender process, e.g. 6G; a process that takes more is killed. None when left out."""

    def settings(self) -> RecipeSettings:
        """The recipe's settings with these options put in. Raises ValueError naming the option that is wrong."""
        from ..recipes import recipe_named

        settings = recipe_named(self.recipe)
        for name, value, least in (
            ("--frames", self.frames, 1),
            ("--samples", self.samples, 1),
            ("--threads", self.threads, 1),
            ("--seed", self.seed, 0),
            ("--val-every", self.val_every, 0),
            ("--clip-limit", self.clip_limit, 1.0),
        ):
            check_least(name, value, least)
        changes: dict = {"threads": self.threads, "device": self.device, "engine": self.engine}
        changes["passes"] = parse_passes(self.passes)
        if self.size is not None:
            changes["width"], changes["height"] = parse_size(self.size)
        if self.samples is not None:
            changes["samples"] = self.samples
        return dataclasses.replace(
            settings,
            num_frames=self.frames or settings.num_frames,
            render=dataclasses.replace(settings.render, **changes),
            **parse_probabilities(self.probability, settings),
        )

    def share_for_val(self) -> float:
        """The share of the models that is held out."""
        if self.val_share is None:
            return 1.0 / self.val_every if self.val_every > 1 else 0.0
        if not 0.0 <= self.val_share < 1.0:
            raise ValueError(f"--val-share {self.val_share}: must be at least 0 and below 1")
        return self.val_share

    def memory_limit_bytes(self) -> int:
        """The memory limit in bytes, 0 for none."""
        return parse_bytes("--memory-limit", self.memory_limit) if self.memory_limit else 0


def check_least(option: str, value: float | None, least: float) -> None:
    """Raise ValueError when a number is given and too small."""
    if value is not None and not value >= least:
        raise ValueError(f"{option} {value}: must be at least {least}")


def parse_size(text: str) -> tuple[int, int]:
    """(width, height) of WIDTHxHEIGHT."""
    match = re.fullmatch(r"(\d+)x(\d+)", text)
    if match is None or min(map(int, match.groups())) < 16:
        raise ValueError(f"--size {text!r}: give WIDTHxHEIGHT of at least 16x16, e.g. 384x256")
    return int(match[1]), int(match[2])


def parse_passes(text: str) -> tuple[str, ...]:
    """The passes of a comma-separated list, ids first, the others in the order of the table of passes."""
    from ...datagen.imaging.passes import PASSES

    names = [name.strip() for name in text.split(",") if name.strip()]
    allowed = ("ids", *(name for name in PASSES if name != "ids"))
    if names == ["all"]:
        return allowed
    unknown = [name for name in names if name not in allowed]
    if unknown:
        raise ValueError(f"--passes: there is no pass {unknown[0]!r}; choose from {', '.join(allowed)}, or all")
    return tuple(name for name in allowed if name == "ids" or name in names)


def parse_probabilities(texts: list[str], settings: RecipeSettings) -> dict[str, float]:
    """{field of the recipe: probability} of NAME=P entries; NAME with or without `_probability`."""
    suffix = "_probability"
    allowed = [entry.name for entry in dataclasses.fields(settings) if entry.name.endswith(suffix)]
    found: dict[str, float] = {}
    for text in texts:
        name, _, value = text.partition("=")
        name = name.strip().replace("-", "_").removesuffix(suffix) + suffix
        if name not in allowed:
            raise ValueError(
                f"--probability {text}: the recipe has no such probability; choose from "
                f"{', '.join(entry.removesuffix(suffix) for entry in allowed)}"
            )
        try:
            found[name] = float(value)
        except ValueError:
            raise ValueError(f"--probability {text}: give NAME=P with a number P, e.g. hdri=0.5") from None
        if not 0.0 <= found[name] <= 1.0:
            raise ValueError(f"--probability {text}: a probability is from 0 to 1")
    return found


def parse_bytes(option: str, text: str) -> int:
    """Bytes of a number with K, M, G or T (binary), e.g. 6G."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([KMGT]?)i?B?", text.strip(), re.IGNORECASE)
    if match is None or float(match[1]) <= 0:
        raise ValueError(f"{option} {text!r}: give a number with K, M, G or T, e.g. 6G")
    return int(float(match[1]) * SIZES[match[2].upper()])


def check_installed(*modules_and_extras: tuple[str, str]) -> None:
    """Refuse to start without what the command will need, before any output is touched."""
    for module, extra in modules_and_extras:
        if importlib.util.find_spec(module) is None:
            raise ValueError(f"{module} is not installed here; pip install 'vosforge[{extra}]' (Python 3.11)")


def place_of(text: str) -> str:
    """A folder as an absolute path; a URL (`s3://bucket/prefix`) as it is."""
    return text if "://" in text else str(Path(text).resolve())
