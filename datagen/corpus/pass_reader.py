"""Random access to the passes of a corpus."""

import zlib
from typing import Any

import numpy as np

from ..imaging.pass_table import PASSES, split_pass_member
from ..imaging.passes import decode_member
from .records import ClipEntry
from .shard_bytes import ShardBytes

# What `read` takes -> (pass, end of the member name).
READABLE = {suffix.partition(".")[0]: (entry.name, suffix) for entry in PASSES.values() for suffix in entry.members}


class PassReader:
    """Finds and decodes the members of passes."""

    def __init__(self, shard_bytes: ShardBytes) -> None:
        self._bytes = shard_bytes
        self._tars: dict[tuple[str, str], str] = {}
        # Offset, size and CRC-32 (0: not recorded) by frame, one row for a member of a clip; 30,000 clips leave no room
        # for objects.
        self._places: dict[tuple[str, str], np.ndarray] = {}

    def add_shard(self, manifest: dict[str, Any]) -> None:
        """Take the places of all members of the passes of a shard from its manifest."""
        num_frames = {clip["key"]: clip["num_frames"] for clip in manifest["clips"]}
        for name, record in manifest.get("passes", {}).items():
            if name not in PASSES:
                continue  # soft masks have a reader of their own
            for clip in record["clips"]:
                key = clip["key"]
                self._tars[key, name] = record["tar"]
                checksums = clip.get("members_crc32") or [0] * len(clip["members"])
                for (member, offset, size), crc32 in zip(clip["members"], checksums, strict=True):
                    t, suffix = split_pass_member(member)
                    rows = self._places.setdefault((key, suffix), np.zeros((num_frames[key], 3), np.int64))
                    rows[t or 0] = offset, size, crc32

    def read(self, clip: ClipEntry, t: int | None, name: str) -> Any:
        """Return the decoded member `name` of frame t of a clip, t None for a member of the whole clip."""
        if name not in READABLE or PASSES[READABLE[name][0]].per_clip != (t is None):
            allowed = [own for own, (entry, _) in READABLE.items() if PASSES[entry].per_clip == (t is None)]
            raise ValueError(f"no pass of a frame is called {name!r}; there are {', '.join(allowed)}")
        pass_name, suffix = READABLE[name]
        if (clip.key, pass_name) not in self._tars:
            raise ValueError(f"clip {clip.key} was made without the pass {pass_name!r}")
        rows = self._places.get((clip.key, suffix))
        offset, size, crc32 = (0, 0, 0) if rows is None else rows[t or 0].tolist()
        if not size:
            raise ValueError(f"frame {t} of clip {clip.key} has no {name}: there is no frame beyond it")
        tar = self._tars[clip.key, pass_name]
        try:
            content = self._bytes.read(tar, offset, size)
            if crc32 and zlib.crc32(content) != crc32:
                raise ValueError(f"the bytes of its {name} changed since they were written")
            return decode_member(suffix, content, clip.object_ids)
        except ValueError as error:
            where = "" if t is None else f"frame {t} of "
            raise self._bytes.damaged(tar, f"is damaged: {where}clip {clip.key}: {error}") from error
