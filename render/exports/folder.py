"""The folder of an export: whose it is, what of it is done, and how a clip gets into it whole.

OUT/.vosforge-export.json   what is being exported; written first, "finished" set last
OUT/.unfinished/            clips on their way; nothing under another name is unfinished
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...datagen.storage.files import atomic_write_json, read_json

if TYPE_CHECKING:
    from ...datagen.corpus.reader import Corpus

STATE = ".vosforge-export.json"
UNFINISHED = ".unfinished"


class ExportFolder:
    """An export that is made, or gone on with, at `out`.

    Raises ValueError when the folder holds other files, or the export of another corpus or with other options.
    """

    def __init__(self, out: Path, corpus: Corpus, options: Mapping[str, Any]) -> None:
        self.out = out
        index = hashlib.sha256(json.dumps(corpus.index, sort_keys=True).encode()).hexdigest()
        self._wanted = {"corpus": corpus.index.get("name"), "index": index, **options}
        state = out / STATE
        if state.exists():
            found = {name: value for name, value in read_json(state).items() if name != "finished"}
            if found != self._wanted:
                differing = [name for name in self._wanted if found.get(name) != self._wanted[name]]
                raise ValueError(
                    f"{out} holds another export: {', '.join(differing)} differ; give a new folder, or remove this one"
                )
        elif out.exists() and (not out.is_dir() or any(out.iterdir())):
            raise ValueError(f"{out} holds other files; give a new or an empty folder")
        else:
            out.mkdir(parents=True, exist_ok=True)
            atomic_write_json(state, {**self._wanted, "finished": False})
        shutil.rmtree(out / UNFINISHED, ignore_errors=True)

    def is_finished(self) -> bool:
        """Whether everything is there."""
        return bool(read_json(self.out / STATE)["finished"])

    def finish(self) -> None:
        """Say that everything is there."""
        shutil.rmtree(self.out / UNFINISHED, ignore_errors=True)
        atomic_write_json(self.out / STATE, {**self._wanted, "finished": True})

    def add(self, folders: Mapping[str, Mapping[str, bytes]]) -> None:
        """Put folders of files in place, each by one rename, in the order given.

        folders: {place under `out`: {file name: content}}. After the last one is there (see `has`), all are.
        """
        staged = self.out / UNFINISHED
        for number, (place, files) in enumerate(folders.items()):
            target, made = self.out / place, staged / str(number)
            shutil.rmtree(made, ignore_errors=True)
            made.mkdir(parents=True)
            for name, content in files.items():
                (made / name).write_bytes(content)
            shutil.rmtree(target, ignore_errors=True)
            target.parent.mkdir(parents=True, exist_ok=True)
            os.rename(made, target)

    def has(self, place: str) -> bool:
        """Whether a folder is in place."""
        return (self.out / place).is_dir()


def frames_of(corpus: Corpus, key: str) -> Iterator[tuple[int, bytes, bytes | None]]:
    """(frame number, stored JPEG bytes, stored palette PNG bytes or None) of every frame of a clip.

    ValueError for a clip with instances in place of ids: no layout that is exported here can hold them.
    """
    if corpus.metadata(key).get("instance_frames"):
        raise ValueError(
            f"clip {key} of {corpus.root} holds overlapping instances, which cannot be exported; pack the data set "
            "with --option labels=ids"
        )
    for t in range(corpus.clip(key).num_frames):
        yield t, corpus.read_jpeg(key, t), corpus.read_ids_png(key, t) if corpus.is_annotated(key, t) else None
