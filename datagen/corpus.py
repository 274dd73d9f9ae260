"""Write a corpus, crash-only: clips become parts, parts become shards, the index comes last.

    root/journal/corpus.json             what is being made; written first
    root/parts/<key>.tar, .json          one clip; the manifest after the tar
    root/shards/clips-00000.tar, .json   the clips of one block; the manifest after the tar, then the parts go
    root/index.json                      only when every clip is there or listed as missing

Nothing is trusted without its manifest, and a manifest never names bytes that are not on the disk yet, so killing the
process at any instruction leaves nothing that looks whole. Running the same command again is the resume.
"""

import contextlib
import json
import os
import time
from collections.abc import Mapping, Sequence, Set
from pathlib import Path
from typing import Any

from . import card
from .claim import CorpusMismatch, claim_folder, release_folder
from .description import CorpusDescription
from .files import atomic_write, atomic_write_json, is_temporary, read_json, remove_files, sync_folder
from .images import encode_jpeg
from .parts import commit_part, part_paths, remove_part, valid_manifest
from .records import SCHEMA_VERSION
from .shards import DamagedFile, clip_span, concatenate_tars, read_members

__all__ = ["CorpusDescription", "CorpusMismatch", "CorpusWriter", "commit_part"]


class CorpusWriter:
    """The one process that turns parts into a corpus; other processes only call `commit_part`.

    root: the output folder; created, or continued when it holds the same description. CorpusMismatch when it holds
    another corpus (the differing fields are named), foreign files, or is being written by another process.
    """

    def __init__(self, root: Path, description: CorpusDescription) -> None:
        self.root, self.description = Path(root), description
        claim_folder(self.root, description)
        # Without the members: those of 30,000 clips would fill the memory.
        self._shards: dict[int, dict[str, Any]] = {}
        for number in range(description.num_shards()):
            manifest = valid_manifest(*self._shard_paths(number))
            if manifest is not None:
                self._shards[number] = _without_members(manifest)

    @property
    def staging_dir(self) -> Path:
        """A folder on the same file system for unfinished work; emptied when a writer opens the corpus."""
        return self.root / "staging"

    def key(self, index: int) -> str:
        """Return the key of clip `index`."""
        return self.description.key(index)

    def done(self, index: int) -> bool:
        """True when clip `index` lies in a shard or in a part whose manifest and size are right."""
        return self._in_shard(index) or self._valid_part(index) is not None

    def is_finished(self) -> bool:
        """True when the index is there, lists no missing clip, and every shard has its size."""
        path = self.root / "index.json"
        if not path.exists() or read_json(path)["missing"]:
            return False
        return all(self._in_shard(index) for index in range(self.description.num_clips))

    def assemble_ready(self, missing: Set[int] = frozenset()) -> list[str]:
        """Build every shard whose clips are all done or in `missing`; return the names of the tars built.

        The bytes of a shard depend only on its clips, not on the order in which parts came. A shard that lacked a
        clip which has come since is built again. DamagedFile names a part whose bytes changed; it is removed, so that
        the same command makes it again.
        """
        waiting: dict[int, set[int]] = {}
        for path in (self.root / "parts").glob("*.json"):
            index = self.description.index_of(path.stem)
            if not is_temporary(path) and index is not None:
                waiting.setdefault(index // self.description.clips_per_shard, set()).add(index)
        built = []
        for number, indices in sorted(waiting.items()):
            if all(self._in_shard(index) for index in indices):
                # Killed after the manifest of the shard, before the parts went.
                self._remove_parts(indices)
            elif any(self._valid_part(index) for index in indices) and all(
                self.done(index) or index in missing for index in self._block(number)
            ):
                if number in self._shards:
                    self._reopen_shard(number)
                built.append(self._assemble(number))
        return built

    def finish(self, missing: Mapping[int, str] | None = None) -> Path:
        """Assemble what is left, write dataset card and contact sheet, and the index last; return the index's path.

        missing: clip index -> reason. A clip that is neither done nor in `missing` is a ValueError. On a corpus that is
        finished already this returns at once. The writer is closed afterwards.
        """
        missing = {index: reason for index, reason in (missing or {}).items() if not self.done(index)}
        path = self.root / "index.json"
        self.assemble_ready(set(missing))
        lacking = [i for i in range(self.description.num_clips) if not self.done(i) and i not in missing]
        if lacking:
            keys = ", ".join(self.key(index) for index in lacking[:5])
            raise ValueError(f"{len(lacking)} clips of {self.root} are not done: {keys}; run the same command again")
        index = self._index(missing)
        if not (path.exists() and read_json(path) == index and (self.root / "README.md").exists()):
            self._write_pictures_and_card(index)
            atomic_write_json(path, index)
        for folder in (self.staging_dir, self.root / "parts"):
            with contextlib.suppress(OSError):  # not empty: somebody's work, left alone
                folder.rmdir()
        self.close()
        return path

    def journal(self, event: Mapping[str, Any]) -> None:
        """Append one event with the time (seconds since 1970) to journal/events.jsonl."""
        path = self.root / "journal/events.jsonl"
        line = json.dumps({"time": round(time.time(), 3), **event}, allow_nan=False).encode() + b"\n"
        with open(path, "a+b") as file:
            if file.tell():
                file.seek(-1, os.SEEK_END)
                if file.read(1) != b"\n":  # a line cut by a kill must not swallow this one
                    line = b"\n" + line
            file.write(line)

    def write_assets(self, rows: Sequence[Mapping[str, Any]]) -> Path:
        """Write the ledger assets.csv; the columns of a row are `card.ASSET_COLUMNS`, those absent stay empty."""
        path = self.root / "assets.csv"
        atomic_write(path, card.assets_csv(rows).encode())
        return path

    def close(self) -> None:
        """Let another process write to this folder; the end of the process does the same."""
        release_folder(self.root)

    def _block(self, number: int) -> range:
        size = self.description.clips_per_shard
        return range(number * size, min((number + 1) * size, self.description.num_clips))

    def _shard_paths(self, number: int) -> tuple[Path, Path]:
        return self.root / f"shards/clips-{number:05d}.tar", self.root / f"shards/clips-{number:05d}.json"

    def _in_shard(self, index: int) -> bool:
        shard = self._shards.get(index // self.description.clips_per_shard)
        return shard is not None and any(clip["index"] == index for clip in shard["clips"])

    def _valid_part(self, index: int) -> dict[str, Any] | None:
        return valid_manifest(*part_paths(self.root, self.key(index)))

    def _remove_parts(self, indices: Set[int]) -> None:
        for index in sorted(indices):
            remove_part(self.root, self.key(index))

    def _assemble(self, number: int) -> str:
        tar, manifest_path = self._shard_paths(number)
        parts = []
        for index in self._block(number):
            record = self._valid_part(index)
            if record is not None:
                parts.append((part_paths(self.root, record["key"])[0], record))
        # A stale manifest must not stand beside the new tar, nor an index that knows neither.
        remove_files(self.root / "index.json", manifest_path)
        try:
            manifest = concatenate_tars(tar, parts)
        except DamagedFile as error:
            remove_part(self.root, error.path.stem)
            raise DamagedFile(f"{error}; it was removed, run the same command again", error.path) from error
        atomic_write_json(manifest_path, manifest)
        self._shards[number] = _without_members(manifest)
        self._remove_parts({record["index"] for _, record in parts})
        return tar.name

    def _reopen_shard(self, number: int) -> None:
        """Turn a shard back into parts, so that a clip that was missing can join it; every clip stays held by one."""
        tar, manifest_path = self._shard_paths(number)
        remove_files(self.root / "index.json")
        with open(tar, "rb") as file:
            for clip in read_json(manifest_path)["clips"]:
                start, stop = clip_span(clip)
                file.seek(start)
                members = read_members(file.read(stop - start))
                commit_part(self.root, clip["key"], clip["index"], members, clip["statistics"])
        remove_files(manifest_path, tar)
        sync_folder(manifest_path.parent)
        del self._shards[number]

    def _index(self, missing: Mapping[int, str]) -> dict[str, Any]:
        shards, splits = [], {"train": [], "val": []}
        for _, shard in sorted(self._shards.items()):
            clips = shard["clips"]
            counts = {"clips": len(clips), "frames": sum(clip["num_frames"] for clip in clips)}
            shards.append({"name": shard["tar"], "bytes": shard["bytes"], "sha256": shard["sha256"], **counts})
            for clip in clips:
                splits[self.description.split(clip["index"])].append(clip["key"])
        absent = [{"key": self.key(index), "reason": reason} for index, reason in sorted(missing.items())]
        described = self.description.as_json()
        return {"schema": SCHEMA_VERSION, **described, "splits": splits, "shards": shards, "missing": absent}

    def _write_pictures_and_card(self, index: dict[str, Any]) -> None:
        from .preview import contact_sheet
        from .reader import Corpus

        corpus = Corpus(self.root, index)
        if corpus.clips:
            atomic_write(self.root / "preview.jpg", encode_jpeg(contact_sheet(corpus)))
        else:
            remove_files(self.root / "preview.jpg")
        atomic_write(self.root / "README.md", card.dataset_card(corpus).encode())
        corpus.close()


def _without_members(manifest: dict[str, Any]) -> dict[str, Any]:
    clips = [{name: clip[name] for name in ("key", "index", "num_frames")} for clip in manifest["clips"]]
    return {**manifest, "clips": clips}
