"""The readers below the sources: large JSON in pieces, and the runs of COCO's RLE."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from vosforge.datagen.corpus.instances import encode_rle
from vosforge.datagen.corpus.rle_runs import check_runs, parse_runs
from vosforge.datagen.sources.annotations import json_members
from vosforge.datagen.sources.annotations.json_members import read_element, scan_arrays

JSON_VALUES = [
    None,
    True,
    -12.5e-3,
    1234567,
    "",
    'a "quoted]" {text',
    "\u00ef\u4e2d\U0001f600",
    [],
    {},
    [[1, 2.5], ["x"]],
    {"k": [{}]},
]


@pytest.fixture(scope="module")
def json_file(tmp_path_factory):
    return tmp_path_factory.mktemp("json") / "a.json"


@settings(max_examples=40, deadline=None)
@given(
    arrays=st.dictionaries(st.sampled_from("abcd"), st.lists(st.sampled_from(JSON_VALUES), max_size=6) | st.just(7)),
    indent=st.sampled_from([None, 1]),
    ascii_only=st.booleans(),
    piece=st.integers(1, 40),
)
def test_elements_are_those_of_json_wherever_the_pieces_end(json_file, arrays, indent, ascii_only, piece):
    path = json_file
    path.write_text(json.dumps(arrays, indent=indent, ensure_ascii=ascii_only), encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(json_members, "_PIECE_BYTES", piece)
        elements = list(scan_arrays(path, ("a", "c")))
    expected = [(n, value) for n in arrays if n in "ac" and isinstance(arrays[n], list) for value in arrays[n]]
    assert [(element.array, element.value) for element in elements] == expected
    with path.open("rb") as file:
        assert [read_element(file, element.offset, element.size) for element in elements] == [v for _, v in expected]


def test_broken_json_is_named_with_its_byte(tmp_path):
    path = tmp_path / "a.json"
    for text, byte in (
        ('{"a": [1, 2', 11),
        ('{"a": [1, x]}', 10),
        ('{"a": [1] "b": 2}', 10),
        ("", 0),
        ('{"a": nul}', 6),
    ):
        path.write_text(text)
        with pytest.raises(ValueError, match=rf"a\.json is broken at byte {byte}:"):
            list(scan_arrays(path, ("a",)))


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32), st.integers(1, 40), st.integers(1, 40), st.sampled_from([0.0, 0.02, 0.5, 1.0]))
def test_runs_are_those_of_the_mask_column_by_column(seed, height, width, share):
    mask = np.random.default_rng(seed).random((height, width)) < share
    rle = encode_rle(mask)
    runs = parse_runs(rle["counts"])
    values = np.repeat(np.arange(len(runs)) % 2, runs).astype(bool)
    assert np.array_equal(values.reshape(width, height).T, mask)
    check_runs(rle)


@pytest.mark.parametrize("counts", ["", "3", "e0", "o", "\u007f", "0~", [5], [-3, 23], [20.0]])
def test_runs_that_do_not_fill_the_size_are_refused(counts):
    with pytest.raises(ValueError, match="RLE"):
        check_runs({"size": [4, 5], "counts": counts})
