"""What training makes of packed corpora: the jump of videos, and stills out of instances."""

import numpy as np
import pytest
from instance_trees import write_lvis
from packing import packed
from video_trees import youtube_vos
from vosforge.datagen.compositing.stills import CorpusStills
from vosforge.datagen.samples.parts import ClipPart
from vosforge.datagen.samples.triplets import TripletSettings
from vosforge.datagen.sources.source import open_source


def test_the_divisor_of_a_packed_corpus_is_that_of_its_frame_names(tmp_path):
    settings = TripletSettings(crop_size=32)
    fifth = open_source("youtube-vos", youtube_vos(tmp_path / "tree"))
    assert ClipPart(packed(fifth, tmp_path / "corpus"), settings=settings).jump_divisor == 5
    all_frames = open_source("youtube-vos", youtube_vos(tmp_path / "whole", all_frames=True), all_frames=True)
    whole = packed(all_frames, tmp_path / "all")
    # All frames are stored; those without ids count by themselves.
    assert ClipPart(whole, settings=settings).jump_divisor == 1


def test_clips_of_instances_alone_are_stills_too(tmp_path):
    pytest.importorskip("pycocotools", reason="needs the extra coco")
    write_lvis(tmp_path, tmp_path)
    source = open_source("lvis", tmp_path, split="train")
    corpus = packed(source, tmp_path / "corpus")
    assert corpus.clips[0].object_ids == () and corpus.num_annotated(corpus.clips[0].key) == 0
    stills = CorpusStills(corpus)
    assert len(stills) == len(corpus.clips)
    masks, _ = corpus.read_instances(corpus.clips[0].key, 0)
    assert np.array_equal(stills.read(np.random.default_rng(0), 0).ids, masks[0])
