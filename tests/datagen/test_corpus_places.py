"""Training and evaluation open a corpus wherever it lies."""

import secrets
from pathlib import Path

import numpy as np
import pytest
from vosforge.datagen.storage.store import open_store


@pytest.fixture
def copied(s3_server, tiny_corpus) -> str:
    """The URL of a copy of the tiny corpus."""
    url = s3_server.url_for("corpora", secrets.token_hex(4))
    for path in tiny_corpus.rglob("*"):
        if path.is_file() and path.name != "writer.lock":
            open_store(url).write_bytes(str(path.relative_to(tiny_corpus)), path.read_bytes())
    return url


def test_training_reads_the_same_batches_from_an_object_store(copied, tiny_corpus):
    torch = pytest.importorskip("torch", reason="needs the extra train")
    from vosforge.datagen.corpus.reader import Corpus
    from vosforge.datagen.samples.loader import make_loader
    from vosforge.datagen.samples.parts import ClipPart
    from vosforge.datagen.samples.triplets import TripletSettings

    def batches(place, num_workers):
        part = ClipPart(Corpus.open(place), settings=TripletSettings(crop_size=32))
        settings = {"seed": 7, "batch_size": 2, "num_steps": 3, "num_workers": num_workers}
        return list(make_loader([part], max_jump=lambda s: 3, **settings))

    for remote, local in zip(batches(copied, 1), batches(tiny_corpus, 0), strict=True):
        assert remote["key"] == local["key"] and torch.equal(remote["rgb"], local["rgb"])


def test_a_run_is_the_same_run_wherever_its_corpus_lies(copied, tiny_corpus):
    pytest.importorskip("torch", reason="needs the extra train")
    from vosforge.train.commands.run import parse_data
    from vosforge.train.request import RunRequest
    from vosforge.train.run_identity import run_identity
    from vosforge.train.stages.propagation_mini import PROPAGATION_RENDERED_MINI

    assert parse_data(f"{copied}=0.5") == (copied, 0.5) and parse_data("a/b=2") == (Path("a/b"), 2.0)
    stage = PROPAGATION_RENDERED_MINI
    identities = [
        run_identity(RunRequest(stage=stage, data=(parse_data(str(place)),), out=Path("run")))["data"]
        for place in (copied, tiny_corpus)
    ]
    assert identities[0] == identities[1] and identities[0][0]["index_sha256"]


def test_evaluation_reads_a_corpus_in_an_object_store(copied, tiny_corpus):
    from vosforge.train.evaluation.sequences import open_sequences

    remote, local = open_sequences(copied), open_sequences(tiny_corpus)
    assert [s.name for s in remote.sequences] == [s.name for s in local.sequences] == ["tiny-000002", "tiny-000005"]
    assert np.array_equal(remote.sequences[1].read_frame(3), local.sequences[1].read_frame(3))
    assert remote.root == copied
