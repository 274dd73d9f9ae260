"""Write a corpus, crash-only: clips become parts, parts become shards, the index comes last.

    root/journal/corpus.json             what is being made; written first
    root/parts/<key>.tar, .json          one clip, and a tar `<key>.<pass>.tar` for each pass; the manifest after them
    root/shards/clips-00000.tar, .json   the clips of one block, likewise; the manifest last, then the parts go
    root/index.json                      only when every clip is there or listed as missing

Nothing is trusted without its manifest, and a manifest never names bytes that are not stored yet, so killing the
process at any instruction leaves nothing that looks whole. Running the same command again is the resume.
"""

import contextlib
from collections.abc import Iterator, Mapping, Sequence, Set
from pathlib import Path
from typing import Any

from ..corpus.description import CorpusDescription
from ..corpus.records import SCHEMA_VERSION
from ..imaging.images import encode_jpeg
from ..imaging.pass_table import STORED_PASSES
from ..storage.store import open_store
from . import card
from .assembly import assemble_shard, brief_manifest, index_entry, reopen_shard, shard_manifest_name, shard_name
from .claim import CorpusMismatch, claim_store, release_store
from .journal import Journal
from .parts import commit_part, key_of_part, manifest_name, remove_part, tars_of, valid_manifest

__all__ = ["CorpusDescription", "CorpusMismatch", "CorpusWriter", "commit_part"]

_MANIFESTS_AT_ONCE = 64


class CorpusWriter:
    """The one process that turns parts into a corpus; other processes only call `commit_part`.

    root: the output folder, or the URL of a prefix of an object store; begun, or continued when it holds the same
    description. CorpusMismatch when it holds another corpus (the differing fields are named), foreign files, or is a
    folder being written by another process.
    """

    def __init__(self, root: Path | str, description: CorpusDescription) -> None:
        self.store, self.description = open_store(root), description
        self.root = self.store.location
        claim_store(self.store, description)
        self._journal = Journal(self.store)
        self._shards: dict[int, dict[str, Any]] = {}
        self._read_shards()

    @property
    def staging_dir(self) -> Path | None:
        """A folder on the same file system for unfinished work, emptied when a writer opens the corpus.

        None in an object store: unfinished work has its place in the temporary folder of each node there.
        """
        return self.store.local_path("staging")

    def key(self, index: int) -> str:
        """Return the key of clip `index`."""
        return self.description.key(index)

    def done(self, index: int) -> bool:
        """True when clip `index` lies in a shard or in a part whose manifest and sizes are right."""
        return self._in_shard(index) or self._valid_part(index) is not None

    def waiting(self) -> list[int]:
        """Return the indices of the clips that are not done, from one listing of the parts."""
        sizes = self.store.sizes("parts")
        indices = range(self.description.num_clips)
        return [i for i in indices if not self._in_shard(i) and self._valid_part(i, sizes) is None]

    def clip_records(self) -> Iterator[tuple[int, dict[str, Any]]]:
        """Yield (index, statistics) of every clip that is done, from the manifests: shards first, then parts."""
        for _, manifest in self._manifests(sorted(self._shards)):
            for clip in manifest["clips"]:
                yield clip["index"], clip["statistics"]
        sizes = self.store.sizes("parts")
        for index in range(self.description.num_clips):
            part = None if self._in_shard(index) else self._valid_part(index, sizes)
            if part is not None:
                yield index, part["statistics"]

    def drop(self, index: int) -> None:
        """Take a clip out again, so that it is waiting; a shard that holds it becomes parts first."""
        if self._in_shard(index):
            self._reopen(index // self.description.clips_per_shard)
        part = self._valid_part(index)
        self.store.remove("index.json")
        if part is not None:
            remove_part(self.store, part)

    def is_finished(self) -> bool:
        """True when the index is there, lists no missing clip, and every shard has its size."""
        if self.store.size("index.json") is None or self.store.read_json("index.json")["missing"]:
            return False
        return all(self._in_shard(index) for index in range(self.description.num_clips))

    def assemble_ready(self, missing: Set[int] = frozenset(), index: int | None = None) -> list[str]:
        """Build every shard whose clips are all done or in `missing`; return the names of the tars built.

        The bytes of a shard depend only on its clips, not on the order in which parts came. A shard that lacked a
        clip which has come since is built again. DamagedFile names a part whose bytes changed; it is removed, so that
        the same command makes it again.
        index: look at the shard of this clip alone, without listing or reading any other part.
        """
        if index is not None:
            number = index // self.description.clips_per_shard
            parts = {i: part for i in self._block(number) if (part := self._valid_part(i)) is not None}
            return [self._assemble(number, parts)] if self._is_ready(number, parts, missing) else []
        sizes = self.store.sizes("parts")
        blocks: dict[int, set[int]] = {}
        for name in sizes:
            index = self.description.index_of(key_of_part(name))
            if name.endswith(".json") and index is not None:
                blocks.setdefault(index // self.description.clips_per_shard, set()).add(index)
        built = []
        for number, indices in sorted(blocks.items()):
            parts = {index: part for index in indices if (part := self._valid_part(index, sizes)) is not None}
            if all(self._in_shard(index) for index in indices):
                # Killed after the manifest of the shard, before the parts went.
                for index in sorted(indices):
                    self.store.remove(manifest_name(self.key(index)))
            elif self._is_ready(number, parts, missing):
                built.append(self._assemble(number, parts))
        return built

    def finish(self, missing: Mapping[int, str] | None = None) -> Path | str:
        """Assemble what is left, write dataset card and contact sheet, and the index last; return the index's place.

        missing: clip index -> reason. A clip that is neither done nor in `missing` is a ValueError. On a corpus that is
        finished already this returns at once. The writer is closed afterwards.
        """
        missing = missing or {}
        undone = set(self.waiting())
        missing = {index: reason for index, reason in missing.items() if index in undone}
        self.assemble_ready(set(missing))
        self._remove_rests()
        lacking = [index for index in self.waiting() if index not in missing]
        if lacking:
            keys = ", ".join(self.key(index) for index in lacking[:5])
            raise ValueError(f"{len(lacking)} clips of {self.root} are not done: {keys}; run the same command again")
        index = self._index(missing)
        store = self.store
        is_written = store.size("index.json") is not None and store.read_json("index.json") == index
        if not (is_written and store.size("README.md") is not None):
            self._write_pictures_and_card(index)
            store.write_json("index.json", index)
        self._remove_empty_folders()
        self.close()
        return store.local_path("index.json") or store.full_name("index.json")

    def journal(self, event: Mapping[str, Any]) -> None:
        """Add one event with the time (seconds since 1970) to the journal; see journal.py."""
        self._journal.append(event)

    def write_assets(self, rows: Sequence[Mapping[str, Any]]) -> Path | str:
        """Write the ledger assets.csv; the columns of a row are `card.ASSET_COLUMNS`, those absent stay empty."""
        self.store.write_bytes("assets.csv", card.assets_csv(rows).encode())
        return self.store.local_path("assets.csv") or self.store.full_name("assets.csv")

    def close(self) -> None:
        """Write the rest of the journal and let another process write here; the end of the process lets it too."""
        try:
            self._journal.flush()
        finally:
            release_store(self.store)

    def _block(self, number: int) -> range:
        size = self.description.clips_per_shard
        return range(number * size, min((number + 1) * size, self.description.num_clips))

    def _is_ready(self, number: int, parts: Mapping[int, dict[str, Any]], missing: Set[int]) -> bool:
        """Whether these parts bring a shard something new, and nothing of it is still to come."""
        is_new = any(not self._in_shard(index) for index in parts)
        return is_new and all(i in parts or self._in_shard(i) or i in missing for i in self._block(number))

    def _read_shards(self) -> None:
        sizes = self.store.sizes("shards")
        numbers = range(self.description.num_shards())
        there = [number for number in numbers if shard_manifest_name(number).removeprefix("shards/") in sizes]
        for number, manifest in self._manifests(there):
            if all(sizes.get(tar) == size for tar, size in tars_of(manifest)):
                self._shards[number] = brief_manifest(manifest)

    def _manifests(self, numbers: Sequence[int]) -> Iterator[tuple[int, dict[str, Any]]]:
        """Yield the manifests of these shards, members and all; one that is damaged counts as not there."""
        for first in range(0, len(numbers), _MANIFESTS_AT_ONCE):
            block = numbers[first : first + _MANIFESTS_AT_ONCE]
            names = [shard_manifest_name(number) for number in block]
            for number, name, content in zip(block, names, self.store.read_many(names), strict=True):
                try:
                    manifest = self.store.parse_json(name, content)
                except ValueError:
                    continue
                yield number, manifest

    def _in_shard(self, index: int) -> bool:
        shard = self._shards.get(index // self.description.clips_per_shard)
        return shard is not None and any(clip["index"] == index for clip in shard["clips"])

    def _valid_part(self, index: int, sizes: Mapping[str, int] | None = None) -> dict[str, Any] | None:
        return valid_manifest(self.store, manifest_name(self.key(index)), sizes)

    def _assemble(self, number: int, parts: dict[int, dict[str, Any]]) -> str:
        if number in self._shards:
            self._reopen(number)
            parts = {i: part for i in self._block(number) if (part := self._valid_part(i)) is not None}
        ordered = [part for _, part in sorted(parts.items())]
        self._shards[number] = brief_manifest(assemble_shard(self.store, number, ordered))
        for part in ordered:
            remove_part(self.store, part)
        return shard_name(number).removeprefix("shards/")

    def _reopen(self, number: int) -> None:
        reopen_shard(self.store, number)
        del self._shards[number]

    def _remove_rests(self) -> None:
        """Remove the tars of parts that are in a shard and whose manifests went before a kill."""
        for name in self.store.names("parts"):
            index = self.description.index_of(key_of_part(name))
            if index is not None and self._in_shard(index):
                self.store.remove(f"parts/{name}")

    def _remove_empty_folders(self) -> None:
        for folder in ("staging", "parts"):
            path = self.store.local_path(folder)
            with contextlib.suppress(OSError):  # not empty: somebody's work, left alone
                if path is not None:
                    path.rmdir()

    def _index(self, missing: Mapping[int, str]) -> dict[str, Any]:
        splits: dict[str, list[str]] = {"train": [], "val": []}
        shards = [index_entry(shard) for _, shard in sorted(self._shards.items())]
        for _, shard in sorted(self._shards.items()):
            for clip in shard["clips"]:
                splits[self.description.split(clip["index"])].append(clip["key"])
        absent = [{"key": self.key(index), "reason": reason} for index, reason in sorted(missing.items())]
        described = {"schema": SCHEMA_VERSION, **self.description.as_json()}
        names = {name for shard in shards for name in shard.get("passes", {})}
        if names:
            described["passes"] = {name: STORED_PASSES[name].as_json() for name in STORED_PASSES if name in names}
        return {**described, "splits": splits, "shards": shards, "missing": absent}

    def _write_pictures_and_card(self, index: dict[str, Any]) -> None:
        from ..corpus.reader import Corpus
        from ..imaging.preview import contact_sheet

        corpus = Corpus(self.store, index)
        if corpus.clips:
            self.store.write_bytes("preview.jpg", encode_jpeg(contact_sheet(corpus)))
        else:
            self.store.remove("preview.jpg")
        self.store.write_bytes("README.md", card.dataset_card(corpus).encode())
        corpus.close()
