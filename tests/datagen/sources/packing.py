"""Packing in tests: a whole corpus in one call."""

import json

from vosforge.datagen.corpus.reader import Corpus
from vosforge.datagen.farm.farm import FarmSettings
from vosforge.datagen.sources.pack import PackJob, pack_corpus
from vosforge.datagen.verify.corpus import verify

HERE = FarmSettings(executor="local")


def pack(source, out, farm=HERE, **settings):
    """Pack a source into `out` and return the report."""
    return pack_corpus(PackJob(root=str(out), source=source, name=source.name, **settings), farm)


def shard_hashes(root) -> list[str]:
    """The SHA-256 of each shard."""
    return [shard["sha256"] for shard in json.loads((root / "index.json").read_text())["shards"]]


def packed(source, out, **settings) -> Corpus:
    """Pack a source whole, check every byte, and open the corpus."""
    assert pack(source, out, **settings).missing == {}
    assert verify(out) == []
    return Corpus.open(out)
