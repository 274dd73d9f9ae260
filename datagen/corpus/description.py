"""What a corpus is, as plain data: the settings that decide its bytes."""

import dataclasses
import json
from dataclasses import dataclass, field
from typing import Any

from .records import check_name, clip_key


@dataclass(frozen=True, kw_only=True)
class CorpusDescription:
    """What a corpus is. Two runs may share a folder only when all of this is equal.

    Shard k holds the clips k*clips_per_shard and on. Clip i belongs to the validation split when val_every is not 0 and
    i % val_every == val_every - 1.
    """

    name: str
    recipe: str
    parameters: dict[str, Any] = field(default_factory=dict)
    seed: int
    num_clips: int
    clips_per_shard: int = 8
    val_every: int = 0
    code_version: str = ""

    def __post_init__(self) -> None:
        check_name(self.name)
        for name, least in (("num_clips", 1), ("clips_per_shard", 1), ("val_every", 0)):
            if getattr(self, name) < least:
                raise ValueError(f"{name} is {getattr(self, name)}, it must be at least {least}")

    def key(self, index: int) -> str:
        """Return the key of clip `index`."""
        return clip_key(self.name, index)

    def split(self, index: int) -> str:
        """Return the split of clip `index`, "train" or "val"."""
        return "val" if self.val_every and index % self.val_every == self.val_every - 1 else "train"

    def num_shards(self) -> int:
        """Return the number of blocks of clips."""
        return -(-self.num_clips // self.clips_per_shard)

    def index_of(self, key: str) -> int | None:
        """Return the index of the clip with this key, None for a key of another corpus."""
        digits = key.rpartition("-")[2]
        index = int(digits) if digits.isdecimal() else self.num_clips
        return index if index < self.num_clips and self.key(index) == key else None

    def as_json(self) -> dict[str, Any]:
        """Return the fields as they read back from a JSON file (a tuple in the parameters becomes a list)."""
        return json.loads(json.dumps(dataclasses.asdict(self), allow_nan=False))
