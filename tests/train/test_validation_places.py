import shutil
from dataclasses import replace

import numpy as np
import pytest
import torch
from vosforge.datagen.imaging.images import decode_ids, encode_jpeg, encode_palette_png
from vosforge.datagen.storage.files import sha256_of_file
from vosforge.train.batches import Source
from vosforge.train.evaluation.methods import Method
from vosforge.train.evaluation.scores import summarise
from vosforge.train.evaluation.semi_supervised import evaluate
from vosforge.train.evaluation.sequences import open_sequences
from vosforge.train.inference.propagation import PropagationSettings, propagate
from vosforge.train.networks import NetworkKind
from vosforge.train.validation.choice import ValidationSettings, make_validators, parse_place
from vosforge.train.validation.measured import same_measure
from vosforge.train.validation.sequences import (
    SequenceSettings,
    SequenceValidator,
    chosen,
    open_validation_sequences,
)
from vosforge.train.validation.validator import validate

CPU = torch.device("cpu")
ALL = SequenceSettings(max_sequences=None, max_frames=None)


@pytest.fixture
def davis_tree(tmp_path):
    """Two videos of 4 frames: a square that moves over a plain ground."""
    for name in ("duck", "goose"):
        frames, masks = tmp_path / "tree" / "JPEGImages" / name, tmp_path / "tree" / "Annotations" / name
        frames.mkdir(parents=True)
        masks.mkdir(parents=True)
        for t in range(4):
            rgb, ids = np.full((48, 64, 3), 90, np.uint8), np.zeros((48, 64), np.uint8)
            rgb[10:26, 8 + 4 * t : 30 + 4 * t], ids[10:26, 8 + 4 * t : 30 + 4 * t] = (220, 40, 40), 1
            (frames / f"{t:05d}.jpg").write_bytes(encode_jpeg(rgb))
            (masks / f"{t:05d}.png").write_bytes(encode_palette_png(ids))
    return tmp_path / "tree"


@pytest.fixture
def network(tiny_stage):
    torch.manual_seed(1)
    return tiny_stage.network.named("tiny").eval()


@pytest.fixture
def validators_of(tiny_stage):
    def make(data=(), places=(), sequences=ALL, stage=tiny_stage):
        sources = [Source(place, 1.0) for place in data]
        settings = ValidationSettings(places=tuple(places), sequences=sequences)
        return make_validators(stage, sources, settings, crop_size=32, device=CPU)

    return make


def as_the_evaluation_scores(network, sequences, folder):
    def run(sequence, given):
        frames = (sequence.read_frame(t) for t in range(sequence.num_frames))
        return propagate(network, frames, given, PropagationSettings())

    means = summarise(evaluate(Method(label="m", propagate=run, settings={}, folder=folder), sequences))["global"]
    return {measure: pytest.approx(means[f"{measure}-Mean"]) for measure in ("J&F", "J", "F")}


def scores_of(network, sequences):
    found = validate(network, [SequenceValidator("clips", sequences, ALL)], 1)
    assert found.score == found.metrics["clips/J&F"]
    return {measure: found.metrics[f"clips/{measure}"] for measure in ("J&F", "J", "F")}


def test_whole_videos_give_the_numbers_of_the_benchmark(tiny_corpus, network, tmp_path):
    sequences = open_sequences(tiny_corpus, "val").sequences
    assert scores_of(network, sequences) == as_the_evaluation_scores(network, sequences, tmp_path)


def test_void_is_not_scored_as_in_the_benchmark(davis_tree, network, tmp_path):
    with torch.no_grad():
        network.predict.bias.fill_(5.0)  # so that everything is predicted to be the object
    plain = scores_of(network, open_validation_sequences(davis_tree))
    for path in (davis_tree / "Annotations").glob("*/*.png"):
        ids = decode_ids(path.read_bytes())
        ids[30:] = 255
        path.write_bytes(encode_palette_png(ids))
    sequences = open_validation_sequences(davis_tree)
    void = scores_of(network, sequences)
    assert void == as_the_evaluation_scores(network, sequences, tmp_path)
    # The lower third of each frame was a mistake, and is none now.
    assert void["J"] == pytest.approx(plain["J"] * 48 / 30, rel=0.02)


def test_a_davis_tree_is_measured_and_drawn_one_row_a_video(davis_tree, network):
    found = validate(network, [SequenceValidator("tree", open_validation_sequences(davis_tree), ALL)], 1)
    picture = found.pictures["tree"]
    rows = validate(
        network, [SequenceValidator("tree", open_validation_sequences(davis_tree), replace(ALL, num_shown=1))], 1
    ).pictures["tree"]
    assert picture.dtype == np.uint8 and len(picture) == 2 * len(rows)
    # Four frames, the first of them with its given mask.
    assert picture.shape[1] == 4 * 240
    assert 0 <= found.metrics["tree/J"] <= 1


def test_a_video_without_an_object_to_follow_is_refused_at_the_start(davis_tree):
    empty = encode_palette_png(np.zeros((48, 64), np.uint8))
    (davis_tree / "Annotations" / "goose" / "00000.png").write_bytes(empty)
    sequences = open_validation_sequences(davis_tree)
    with pytest.raises(ValueError, match="video goose of birds shows no object in its first frame"):
        SequenceValidator("birds", sequences, ALL)
    # Where the limits leave it out, it does no harm.
    SequenceValidator("birds", sequences, replace(ALL, max_sequences=1))


def test_limits_take_evenly_spaced_videos_and_their_first_frames(tiny_world, tmp_path):
    root = tiny_world.write(tmp_path / "corpus", num_clips=10, val_every=2)
    sequences = open_validation_sequences(root)
    names = [sequence.name for sequence in sequences]
    taken = chosen(sequences, SequenceSettings(max_sequences=3, max_frames=4))
    assert [sequence.name for sequence in taken] == [names[0], names[2], names[4]]
    assert all(sequence.frame_names == ("00000", "00001", "00002", "00003") for sequence in taken)
    assert [sequence.name for sequence in chosen(sequences, ALL)] == names
    assert len(chosen(sequences, SequenceSettings(max_sequences=50))) == len(names)


def test_limits_that_leave_nothing_are_refused():
    with pytest.raises(ValueError, match="max_frames is 2; give at least 3"):
        SequenceSettings(max_frames=2)
    with pytest.raises(ValueError, match="max_sequences is 0"):
        SequenceSettings(max_sequences=0)


def test_a_propagation_stage_watches_the_held_out_clips_of_its_own_corpora(validators_of, tiny_corpus):
    videos, batches = validators_of(data=[tiny_corpus])
    assert (videos.name, batches.name) == ("corpus", "held-out")
    assert [sequence.name for sequence in videos.sequences] == ["tiny-000002", "tiny-000005"]


def test_places_replace_the_own_clips_and_keep_their_order(validators_of, tiny_corpus, davis_tree, network):
    validators = validators_of(data=[tiny_corpus], places=[(davis_tree, "val"), (tiny_corpus, "val")])
    assert [validator.name for validator in validators] == ["tree", "corpus", "held-out"]
    found = validate(network, validators, 1)
    assert found.score == found.metrics["tree/J&F"]


def test_places_of_one_name_are_told_apart(validators_of, tiny_world, tmp_path):
    roots = [tiny_world.write(tmp_path / part / "clips") for part in ("a", "b")]
    names = [validator.name for validator in validators_of(data=roots)]
    assert names == ["clips", "clips-2", "held-out"]


def test_corpora_of_stills_are_validated_by_batches_alone(validators_of, tiny_stage, tiny_world, tmp_path):
    from vosforge.datagen.writing.writer import CorpusWriter, commit_part

    root = tmp_path / "stills"
    writer = CorpusWriter(root, tiny_world.description(num_clips=2, val_every=2))
    for index in range(2):
        commit_part(root, f"tiny-{index:06d}", index, tiny_world.clip_members(index, num_frames=1), {})
    writer.assemble_ready()
    writer.finish()
    stage = replace(tiny_stage, data="stills", sample_settings={})
    assert [validator.name for validator in validators_of(data=[root], stage=stage)] == ["held-out"]
    with pytest.raises(ValueError, match=r"no video of 3 frames or more in its split 'val'"):
        validators_of(data=[root], stage=stage, places=[(root, "val")])


def test_nothing_held_out_is_told_with_the_way_out(validators_of, tiny_world, tmp_path):
    root = tiny_world.write(tmp_path / "whole", val_every=0)
    with pytest.raises(ValueError, match=r"no corpus has a val split.*--validate-on DIR"):
        validators_of(data=[root])
    with pytest.raises(ValueError, match=r"no clip in its split val.*=all"):
        validators_of(places=[(root, "val")])
    assert [validator.name for validator in validators_of(places=[(root, "all")])] == ["whole"]


def test_clips_that_are_trained_on_are_no_validation(validators_of, tiny_corpus):
    with pytest.raises(ValueError, match="=all holds clips that are trained on"):
        validators_of(data=[tiny_corpus], places=[(tiny_corpus, "all")])


def test_a_copy_of_what_is_trained_on_is_no_validation(validators_of, tiny_corpus, tiny_world, tmp_path):
    shutil.copytree(tiny_corpus, tmp_path / "copy")
    for split in ("all", "train"):
        with pytest.raises(ValueError, match=f"copy={split} holds clips that are trained on"):
            validators_of(data=[tiny_corpus], places=[(tmp_path / "copy", split)])
    assert validators_of(data=[tiny_corpus], places=[(tmp_path / "copy", "val")])
    other = tiny_world.write(tmp_path / "other", num_clips=4)
    assert validators_of(data=[tiny_corpus], places=[(other, "all")])


def measure_of(validators, network):
    return validate(network, validators, 1).measured


def test_a_score_tells_what_it_measures(validators_of, tiny_corpus, davis_tree, network, tmp_path):
    own = measure_of(validators_of(data=[tiny_corpus]), network)
    digest = sha256_of_file(tiny_corpus / "index.json")
    assert {"metric": "J&F", "place": str(tiny_corpus), "split": "val", "digest": digest}.items() <= own.items()
    assert {"max_sequences": None, "max_frames": None, "short_side": None}.items() <= own.items()
    named = measure_of(validators_of(data=[tiny_corpus], places=[(tiny_corpus, "val")]), network)
    assert named == own
    limited = measure_of(validators_of(data=[tiny_corpus], sequences=replace(ALL, max_frames=3)), network)
    assert not same_measure(limited, own)


def test_a_tree_is_known_by_its_videos_wherever_it_lies(validators_of, davis_tree, network, tmp_path):
    shutil.copytree(davis_tree, tmp_path / "moved")
    here = measure_of(validators_of(places=[(davis_tree, "val")]), network)
    moved = measure_of(validators_of(places=[(tmp_path / "moved", "val")]), network)
    assert same_measure(here, moved) and here["place"] != moved["place"]
    mask = tmp_path / "moved" / "Annotations" / "duck" / "00000.png"
    mask.write_bytes(encode_palette_png(np.roll(decode_ids(mask.read_bytes()), 1, axis=0)))
    assert not same_measure(here, measure_of(validators_of(places=[(tmp_path / "moved", "val")]), network))


def test_a_split_that_no_corpus_has_is_named(validators_of, tiny_corpus):
    with pytest.raises(ValueError, match="=test: a corpus has the splits train, val, all"):
        validators_of(places=[(tiny_corpus, "test")])


def test_a_tree_without_that_list_names_the_lists_it_has(validators_of, davis_tree):
    lists = davis_tree / "ImageSets" / "2017"
    lists.mkdir(parents=True)
    (lists / "train.txt").write_text("duck\n")
    with pytest.raises(ValueError, match=r"no list val\.txt; choose the split, by DIR=SPLIT, from: train"):
        validators_of(places=[(davis_tree, "val")])
    (only,) = validators_of(places=[(davis_tree, "train")])
    assert [sequence.name for sequence in only.sequences] == ["duck"]


def test_a_missing_place_is_named(validators_of, tmp_path):
    with pytest.raises(ValueError, match=r"nowhere is missing; expected a DAVIS tree"):
        validators_of(places=[(tmp_path / "nowhere", "val")])


def test_j_and_f_are_refused_for_a_network_that_propagates_nothing(validators_of, tiny_stage, davis_tree):
    stage = replace(tiny_stage, name="other", network=NetworkKind(name="s2m", sizes={}, build=None))
    with pytest.raises(ValueError, match="stage other trains the s2m network"):
        validators_of(places=[(davis_tree, "val")], stage=stage)


def test_place_and_split_are_read_from_one_word(tmp_path):
    odd = tmp_path / "a=b"
    odd.mkdir()
    assert parse_place(str(odd)) == (odd, "val")
    assert parse_place(f"{tmp_path}=all") == (tmp_path, "all")
    assert parse_place("s3://bucket/corpus=all")[1] == "all"
    with pytest.raises(ValueError, match="write DIR, or DIR=SPLIT"):
        parse_place("clips=")
