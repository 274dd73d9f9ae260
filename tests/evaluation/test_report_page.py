"""The page of an evaluation: what is given is shown, what is not is left out, and text stays text."""

import math
import re

import numpy as np
import pytest
from html_page import assert_whole, shown_text
from vosforge.train.evaluation.errors import EvaluationError
from vosforge.train.evaluation.report_page import bars as bars_module
from vosforge.train.evaluation.report_page.decimals import written
from vosforge.train.evaluation.report_page.page import html, write_page
from vosforge.train.evaluation.report_page.parts import Bars, Chart, EvaluationPage, Strip, Table

PICTURE = np.full((30, 800, 3), 90, np.uint8)


def page_of(**parts) -> str:
    return html(EvaluationPage(title="a page", facts={}, **parts))


def test_page_holds_all_its_parts_and_needs_nothing_from_elsewhere(tmp_path):
    page = EvaluationPage(
        title="scores",
        summary="Six sequences.",
        headline={"J&F": "0.853"},
        facts={"data": "/data/davis, val"},
        tables=[Table(name="overall", columns=["method", "J"], rows=[["ours", 0.5]], note="a note")],
        curves=[Chart(name="over time", x_label="seconds", y_label="J&F", lines={"ours": ([1, 2], [0.2, 0.4])})],
        bars=[Bars(name="each sequence", values={"ours": {"dog": 0.25}}, note="worst first")],
        strips=[Strip(name="dog", caption="worst frame 7", picture=PICTURE)],
    )
    path = write_page(tmp_path / "new" / "report.html", page)
    content = path.read_text()
    assert_whole(content, num_pictures=1)
    text = shown_text(content)
    for expected in (
        "scores Six sequences. J&F 0.853",
        "overall method J ours 0.500 a note",
        "over time ours J&F",
        "seconds",
        "each sequence worst first dog 0.250",
        "worst frame 7",
        "data /data/davis, val",
    ):
        assert expected in text, expected
    assert [one.name for one in path.parent.iterdir()] == ["report.html"]


def test_what_is_empty_has_no_heading():
    text = shown_text(page_of(tables=[Table(name="nothing", columns=["a"], rows=[])], bars=[Bars(name="b", values={})]))
    assert "Scores" not in text and "Curves" not in text and "Pictures" not in text and "nothing" not in text


def test_text_is_never_taken_for_html():
    evil = "<script>a & 'b' \"c\"</script>"
    content = page_of(
        summary=evil,
        headline={evil: evil},
        tables=[Table(name=evil, columns=[evil], rows=[[evil]], note=evil)],
        curves=[Chart(name=evil, x_label=evil, y_label=evil, lines={evil: ([0, 1], [0, 1])}, legend={evil: 0.5})],
        bars=[Bars(name=evil, values={evil: {evil: 1}, "other": {}}, note=evil)],
        strips=[Strip(name=evil, caption=evil, picture=PICTURE)],
    )
    assert_whole(content, num_pictures=1)
    assert shown_text(content).count(evil) >= 14


def test_columns_of_numbers_have_equal_decimals_and_the_best_is_bold():
    table = Table(
        name="t",
        columns=["method", "J", "decay", "objects"],
        rows=[["a", 0.5, 0.1, 1200], ["b", np.float32(0.75), None, np.int64(3)], ["c", math.nan, 0.25, 7]],
        best={"J": "highest", "decay": "lowest"},
    )
    content = page_of(tables=[table])
    assert re.findall(r"<td[^>]*>(.*?)</td>", content) == [
        *("a", "0.500", "<b>0.100</b>", "1,200"),
        *("b", "<b>0.750</b>", "–", "3"),
        *("c", "–", "0.250", "7"),
    ]


@pytest.mark.parametrize(
    ("values", "texts"),
    [
        ([1, 20, 3000], ["1", "20", "3,000"]),
        ([1.0, 0.5], ["1.000", "0.500"]),
        ([1.0, 1.0], ["1.000", "1.000"]),
        ([99.5, 1.25], ["99.50", "1.25"]),
        ([2e-5, 1e-6], ["2e-5", "1e-6"]),
        ([450_000.0, 8.625], ["450k", "8.62"]),
        ([-1e-9, 0.5], ["0.000", "0.500"]),
        ([0.0], ["0.000"]),
        ([], []),
    ],
)
def test_numbers_of_a_column_are_readable(values, texts):
    assert written(values) == texts


def lengths(content: str) -> list[float]:
    return [float(share) for share in re.findall(r"--share: ([\d.]+)", content)]


def test_bars_are_as_long_as_their_values():
    content = page_of(
        bars=[Bars(name="J", values={"a": {"dog": 0.5, "cat": 0.25}, "b": {"cat": 1.0, "cow": math.nan}})]
    )
    assert lengths(content) == [0.5, 0, 0.25, 1.0, 0, 0]
    assert "dog 0.500 – cat 0.250 1.000 cow – –" in shown_text(content)


def test_longest_bar_of_counts_is_full():
    assert lengths(page_of(bars=[Bars(name="clicks", values={"a": {"1": 10, "2": 40}})])) == [0.25, 1.0]
    assert lengths(page_of(bars=[Bars(name="clicks", values={"a": {"1": 10, "2": 40}}, top=20)])) == [0.5, 1.0]
    assert lengths(page_of(bars=[Bars(name="zeros", values={"a": {"1": 0, "2": -0.5}})])) == [0, 0]


def test_long_tables_and_many_bars_are_folded():
    rows = [[f"s{k}", k] for k in range(41)]
    assert "<details><summary>41 rows</summary>" in page_of(tables=[Table(name="t", columns=["s", "n"], rows=rows)])
    values = {"a": {f"s{k}": 0.5 for k in range(bars_module.MAX_OPEN_ROWS + 3)}}
    content = page_of(bars=[Bars(name="J", values=values)])
    assert "<summary>3 more</summary>" in content and len(lengths(content)) == bars_module.MAX_OPEN_ROWS + 3


def corners(content: str) -> list[list[tuple[float, float]]]:
    """The corners of each curve, the first drawn last."""
    found = re.findall(r'class="line" points="([^"]*)"', content)
    return [[tuple(map(float, corner.split(","))) for corner in points.split()] for points in reversed(found)]


def test_curves_share_their_axes_and_leave_out_what_is_not_finite():
    lines = {"a": ([1, 2, 3], [0.0, math.nan, 1.0]), "b": ([1, 3], [0.5, 0.5]), "none": ([1], [math.inf])}
    content = page_of(curves=[Chart(name="c", x_label="round", y_label="J", lines=lines, y_range=(0, 1))])
    a, b = corners(content)
    assert len(a) == 2 and a[0][0] == b[0][0] and a[1][0] == b[1][0]
    assert b[0][1] == pytest.approx((a[0][1] + a[1][1]) / 2)
    assert "none" not in shown_text(content)


def test_horizontal_axis_begins_at_the_first_point_or_at_zero():
    lines = {"a": ([10, 20], [0, 1])}
    fitted, from_zero = (
        corners(page_of(curves=[Chart(name="c", x_label="s", y_label="J", lines=lines, from_zero=zero)]))[0]
        for zero in (False, True)
    )
    assert fitted[0][0] < from_zero[0][0] < fitted[1][0] == from_zero[1][0]


def test_the_seventh_line_is_dashed_so_that_no_two_look_alike():
    lines = {f"method {k}": ([0, 1], [k, k + 1]) for k in range(7)}
    content = page_of(curves=[Chart(name="c", x_label="s", y_label="J", lines=lines)])
    looks = re.findall(r'<g( class="dashed")? style="--c: var\(--line-(\d)\)">', content)
    assert len(set(looks)) == 7 and sum(bool(dashed) for dashed, _ in looks) == 1


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: Table(name="t", columns=["a", "b"], rows=[[1]]), "2 columns .a, b., but a row of 1"),
        (lambda: Table(name="t", columns=["a"], rows=[[1]], best={"J": "highest"}), "no column 'J'"),
        (lambda: Chart(name="c", x_label="", y_label="", lines={"a": ([1], [])}), "a has 1 places but 0 values"),
        (lambda: Strip(name="s", caption="", picture=PICTURE.astype(float)), "must be uint8"),
    ],
)
def test_parts_that_cannot_be_drawn_are_refused_when_they_are_made(make, words):
    with pytest.raises(EvaluationError, match=words):
        make()
