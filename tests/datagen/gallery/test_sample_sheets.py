import cv2
import numpy as np
import pytest
from vosforge.datagen.cli import main
from vosforge.datagen.corpus.reader import Corpus
from vosforge.datagen.gallery.drawing import NEGATIVE_COLOUR, POSITIVE_COLOUR, with_clicks, with_scribbles
from vosforge.datagen.gallery.sample_sheet import KINDS, sample_sheet
from vosforge.datagen.simulation.clicks.clicks import Click


@pytest.fixture(scope="module")
def corpus(tiny_world, tmp_path_factory):
    return Corpus.open(tiny_world.write(tmp_path_factory.mktemp("gallery") / "corpus"))


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_sample_has_a_sheet_that_its_seed_decides(corpus, kind):
    first, again, other = (sample_sheet(corpus, kind, 2, seed, cell_width=96) for seed in (1, 1, 2))
    assert np.array_equal(first, again)
    assert first.shape[1] == other.shape[1] and not np.array_equal(first, other[: len(first)])


def test_a_row_does_not_depend_on_the_number_of_rows(corpus):
    one, two = (sample_sheet(corpus, "clicks", rows, 0, cell_width=96) for rows in (1, 2))
    under_title = slice(50, len(one) - 30)
    assert np.array_equal(one[under_title], two[under_title])


def test_positive_is_green_and_negative_red_where_they_were_drawn():
    rgb = np.full((40, 60, 3), 120, np.uint8)
    positive, negative = np.zeros((2, 40, 60), bool)
    positive[5, 5], negative[30, 50] = True, True
    drawn = with_scribbles(rgb, positive, negative)
    assert tuple(drawn[5, 5]) == POSITIVE_COLOUR and tuple(drawn[30, 50]) == NEGATIVE_COLOUR
    assert (drawn != rgb).any(axis=2).sum() == 2
    clicked = with_clicks(rgb, [Click(x=20.5, y=10.5, positive=True), Click(x=40.5, y=20.5, positive=False)])
    assert tuple(clicked[10, 20]) == POSITIVE_COLOUR and tuple(clicked[20, 40]) == NEGATIVE_COLOUR


def test_the_command_writes_a_sheet_of_samples(tiny_corpus, tmp_path, capsys):
    with pytest.raises(SystemExit) as ended:
        main(["preview", str(tiny_corpus), "--kind", "mask-errors", "--clips", "2", "--out", str(tmp_path / "a.png")])
    assert ended.value.code == 0 and cv2.imread(str(tmp_path / "a.png")).shape[0] > 100
    capsys.readouterr()
    with pytest.raises(SystemExit) as ended:
        main(["preview", str(tiny_corpus), "--kind", "robot", "--out", str(tmp_path / "a.mp4")])
    assert ended.value.code == 2 and "--kind robot" in capsys.readouterr().err
