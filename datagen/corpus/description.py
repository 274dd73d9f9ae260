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
    i % val_every == val_every - 1; or, for a set that brings its own splits, when i >= num_train.
    """

    name: str
    recipe: str
    parameters: dict[str, Any] = field(default_factory=dict)
    seed: int
    num_clips: int
    clips_per_shard: int = 8
    val_every: int = 0
    num_train: int | None = None
    code_version: str = ""

    def __post_init__(self) -> None:
        check_name(self.name)
        for name, least in (("num_clips", 1), ("clips_per_shard", 1), ("val_every", 0)):
            if getattr(self, name) < least:
                raise ValueError(f"{name} is {getattr(self, name)}, it must be at least {least}")
        if self.num_train is not None and (self.val_every or not 0 <= self.num_train <= self.num_clips):
            raise ValueError(
                f"num_train is {self.num_train} with val_every {self.val_every}; it must be 0 to {self.num_clips}, "
                "and val_every 0 beside it"
            )

    def key(self, index: int) -> str:
        """Return the key of clip `index`."""
        return clip_key(self.name, index)

    def split(self, index: int) -> str:
        """Return the split of clip `index`, "train" or "val"."""
        return "val" if is_held_out(index, self.val_every, self.num_train) else "train"

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
        fields = dataclasses.asdict(self)
        if self.num_train is None:
            del fields["num_train"]  # so that corpora which were begun before it was known go on
        return json.loads(json.dumps(fields, allow_nan=False))


def is_held_out(index: int, val_every: int, num_train: int | None) -> bool:
    """True when clip `index` belongs to the validation split."""
    if num_train is not None:
        return index >= num_train
    return bool(val_every) and index % val_every == val_every - 1
