"""What is checked when a corpus is opened: that there is one, and that its shards are all there in their size."""

from collections.abc import Iterator
from typing import Any, Literal

from ..storage.store import Store
from .places import manifest_of
from .records import SCHEMA_VERSION
from .shard_bytes import check_size
from .shards import DamagedFile

OnDamage = Literal["stop", "skip"]


class NotACorpus(ValueError):
    """There is no finished corpus; the message is one line that says what to do."""


def read_index(store: Store) -> dict[str, Any]:
    """Return the content of index.json; NotACorpus when there is none of a schema that is known here."""
    folder = store.local_path("")
    if folder is not None and not folder.is_dir():
        raise NotACorpus(f"{store.url} is not a folder; give the folder or the URL of a corpus")
    if store.size("index.json") is None:
        if store.size("journal/corpus.json") is not None:
            raise NotACorpus(f"{store.url} is not finished: no index.json; run the command that makes it again")
        raise NotACorpus(f"{store.url} is not a corpus: no index.json; give the place that a run wrote with --out")
    index = store.read_json("index.json")
    if not isinstance(index, dict) or index.get("schema") != SCHEMA_VERSION:
        found = index.get("schema") if isinstance(index, dict) else None
        where = store.full_name("index.json")
        raise NotACorpus(f"{where} has schema {found!r}, this version reads schema {SCHEMA_VERSION}")
    return index


def tar_sizes(index: dict[str, Any]) -> dict[str, int]:
    """Return file name in `shards/` -> bytes of every tar that index.json lists, those of the passes too."""
    records = [record for shard in index["shards"] for record in (shard, *shard.get("passes", {}).values())]
    return {record["name"]: record["bytes"] for record in records}


def wrong_files(store: Store, index: dict[str, Any], on_damage: OnDamage) -> Iterator[tuple[str, str]]:
    """Yield (name, what is wrong) of tars and manifests that are missing or have another size; or raise the first."""
    sizes = store.sizes("shards")
    expected: dict[str, int | None] = {**tar_sizes(index)}
    expected |= {manifest_of(shard["name"]).removeprefix("shards/"): None for shard in index["shards"]}
    for name, num_bytes in expected.items():
        if sizes.get(name, -1) == num_bytes or (num_bytes is None and name in sizes):
            continue
        try:
            # Asked for by name: not every store can list.
            check_size(store, f"shards/{name}", num_bytes)
        except DamagedFile as error:
            if on_damage == "stop":
                raise
            yield error.name, str(error)
