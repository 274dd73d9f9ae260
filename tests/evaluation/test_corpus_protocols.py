"""Corpora by either protocol: few frames with ids, objects that come into view later, exports of a corpus."""

import json

import numpy as np
import pytest
from vosforge.datagen.corpus.records import ids_name, metadata_name
from vosforge.datagen.imaging.images import decode_ids, encode_palette_png
from vosforge.datagen.writing.writer import CorpusWriter, commit_part
from vosforge.train.evaluation.cli import main
from vosforge.train.evaluation.errors import EvaluationError
from vosforge.train.evaluation.scores import object_ids
from vosforge.train.evaluation.sequences import given_masks, open_sequences

NUM_FRAMES = 9
COMES_IN = 4


@pytest.fixture
def late_corpus(tiny_world, tmp_path):
    """One clip in which the object with the largest id is not seen before frame 4, and whose odd frames lack ids."""
    writer = CorpusWriter(tmp_path / "corpus", tiny_world.description(num_clips=1, val_every=1))
    key = writer.key(0)
    members = dict(tiny_world.clip_members(0, num_frames=NUM_FRAMES))
    metadata = json.loads(members.pop(metadata_name(key)))
    last = max(entry["id"] for entry in metadata["objects"])
    for t in range(NUM_FRAMES):
        ids = decode_ids(members[ids_name(key, t)])
        if t < COMES_IN:
            ids[ids == last] = 0
        members[ids_name(key, t)] = encode_palette_png(ids)
    for entry in metadata["objects"]:
        if entry["id"] == last:
            entry["area"] = [0] * COMES_IN + entry["area"][COMES_IN:]
    odd = range(1, NUM_FRAMES, 2)
    metadata["unannotated_frames"] = list(odd)
    kept = [(name, content) for name, content in members.items() if name not in {ids_name(key, t) for t in odd}]
    commit_part(tmp_path / "corpus", key, 0, [*kept, (metadata_name(key), json.dumps(metadata).encode())], {})
    writer.assemble_ready()
    writer.finish()
    return tmp_path / "corpus", last


def test_davis_protocol_follows_what_the_first_frame_shows(late_corpus):
    root, last = late_corpus
    sequence = open_sequences(root, sparse=True).sequences[0]
    assert sequence.annotated_frames == (0, 2, 4, 6, 8)
    assert last not in object_ids(given_masks(sequence)[0])


def test_other_protocol_gives_the_late_object_where_it_comes_in(late_corpus):
    root, last = late_corpus
    given = given_masks(open_sequences(root, sparse=True, protocol="youtube-vos").sequences[0])
    assert list(given) == [0, COMES_IN] and object_ids(given[COMES_IN]) == [last]


def test_frames_without_ids_are_refused_where_every_frame_is_needed(late_corpus):
    with pytest.raises(EvaluationError, match="frames 1, 3, 5 and 1 more have no ids"):
        open_sequences(late_corpus[0])


@pytest.mark.parametrize("protocol", ["davis", "youtube-vos"])
def test_truth_as_masks_scores_one_by_both_protocols(late_corpus, tmp_path, protocol):
    sequence = open_sequences(late_corpus[0], sparse=True, protocol=protocol).sequences[0]
    given = [i for ids in given_masks(sequence).values() for i in object_ids(ids)]
    folder = tmp_path / "results" / sequence.name
    folder.mkdir(parents=True)
    for t in sequence.annotated_frames:
        ids = sequence.read_truth(t)
        path = folder / f"{sequence.frame_names[t]}.png"
        path.write_bytes(encode_palette_png(np.where(np.isin(ids, given), ids, 0).astype(np.uint8)))
    arguments = ["--root", str(late_corpus[0]), "--results", str(folder.parent), "--protocol", protocol]
    assert main(["masks", *arguments]) == 0
    found = json.loads((folder.parent / "results.json").read_text())
    assert found["J&F-Mean"] == 1
    assert set(found["sequences"][sequence.name]["objects"]) == {str(i) for i in given}


def test_exports_of_a_corpus_score_as_the_corpus(tiny_corpus, tmp_path):
    from vosforge.datagen.corpus.reader import Corpus
    from vosforge.render.exports.video import export_davis, export_youtube_vos

    corpus = Corpus.open(tiny_corpus)
    export_davis(corpus, tmp_path / "davis")
    export_youtube_vos(corpus, tmp_path / "youtube-vos")
    scores = {}
    for place, protocol in ((tiny_corpus, "davis"), (tmp_path / "davis", None), (tmp_path / "youtube-vos", "davis")):
        out = tmp_path / f"out-{place.name}"
        more = ["--protocol", protocol] if protocol and place != tiny_corpus else []
        assert main(["davis", "--root", str(place), "--out", str(out), "--pictures", "0", *more]) == 0
        scores[place.name] = json.loads((out / "results.json").read_text())["methods"]["copy-first-mask"]["global"]
    assert scores["davis"] == scores["youtube-vos"] == scores[tiny_corpus.name]
