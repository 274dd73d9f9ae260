"""Forecasts cover what they promise: simulated corpora fall inside the plan's interval as often as it says."""

import dataclasses
import json
import math

import numpy as np
import pytest
from vosforge.render.operations.forecast import extrapolate, forecast_total
from vosforge.render.operations.pilot import Pilot
from vosforge.render.operations.plan import Prices, make_plan


@pytest.mark.parametrize(("spread", "pilots", "clips"), [(0.2, 4, 20), (0.35, 6, 20), (0.35, 6, 5000), (0.5, 12, 100)])
def test_nine_of_ten_simulated_corpora_cost_what_the_interval_says(spread, pilots, clips):
    rng = np.random.default_rng(0)
    inside = 0
    for _ in range(1000):
        interval = forecast_total(rng.lognormal(1.0, spread, pilots), clips)
        inside += interval.low <= rng.lognormal(1.0, spread, clips).sum() <= interval.high
    # Clip costs are skewed, Student's interval is for the normal: a little below 90 % is what theory gives.
    assert 0.85 <= inside / 1000 <= 0.95


def test_the_interval_is_that_of_the_textbook_for_one_clip():
    interval = forecast_total([8.0, 10.0, 12.0], 1)
    assert interval.expected == 10.0
    assert interval.high - 10.0 == pytest.approx(2.919986 * 2.0 * math.sqrt(1 + 1 / 3), rel=1e-5)
    assert 10.0 - interval.low == pytest.approx(interval.high - 10.0)


def test_more_pilots_narrow_the_interval_and_more_clips_narrow_it_in_proportion():
    rng = np.random.default_rng(1)
    costs = rng.normal(10.0, 1.0, 100).tolist()
    few, many = forecast_total(costs[:5], 1000), forecast_total(costs, 1000)
    assert many.high - many.low < 0.5 * (few.high - few.low)
    one, thousand = forecast_total(costs, 1), forecast_total(costs, 1000)
    assert (thousand.high - thousand.low) / 1000 < 0.2 * (one.high - one.low)


def test_one_pilot_is_refused():
    with pytest.raises(ValueError, match="1 pilot clips say nothing about the spread"):
        forecast_total([3.0], 10)


def test_the_start_is_counted_once_a_clip():
    cost, per_frame = extrapolate((2, 4.0 + 2 * 0.5), (12, 4.0 + 12 * 0.5), 160)
    assert per_frame == pytest.approx(0.5)
    assert cost == pytest.approx(4.0 + 160 * 0.5)
    assert extrapolate((8, 6.0), (8, 6.0), 8) == (6.0, 0.75)


def pilot(cpu, wall, device="cpu", **changes):
    values = {"cpu_seconds_per_frame": cpu / 200, "wall_seconds_per_frame": wall / 200, "bytes": 2e9} | changes
    return Pilot(
        index=0, cpu_seconds=cpu, wall_seconds=wall, rejections=("black frame",), device=device, **values,
        peak_memory_bytes=2**30,
    )  # fmt: skip


def test_a_cpu_plan_counts_core_hours_and_full_nodes():
    plan = make_plan([pilot(3600, 4000)] * 3, 100, 160, Prices(cores_per_node=10, price_per_hour=2.0))
    assert plan.unit == "core-hours"
    assert plan.unit_hours.expected == pytest.approx(100)
    assert plan.node_hours.expected == pytest.approx(10) and plan.money.expected == pytest.approx(20)
    assert plan.gigabytes.expected == pytest.approx(200)
    assert plan.startup_seconds == pytest.approx(3600 - 160 * 18)
    assert plan.rejections == {"black frame": 3}


def test_a_gpu_plan_counts_wall_clock_and_the_share_of_a_gpu():
    pilots = [pilot(9999, 3600, device="optix: Some GPU")] * 2
    plan = make_plan(pilots, 80, 160, Prices(cores_per_node=10, gpus_per_node=4, gpu_share=0.5))
    assert plan.unit == "GPU-hours"
    assert plan.unit_hours.expected == pytest.approx(40) and plan.node_hours.expected == pytest.approx(10)
    assert plan.money is None


@pytest.mark.blender
def test_a_pilot_is_a_real_clip_of_the_job_rendered_in_part(tmp_path):
    pytest.importorskip("bpy", reason="bpy is not installed (the render extra)")
    from vosforge.render.assets.pool import AssetPool
    from vosforge.render.jobs.job import RenderJob
    from vosforge.render.operations.pilot import render_pilot
    from vosforge.render.recipes import TINY

    (tmp_path / "parts").mkdir()
    settings = dataclasses.replace(TINY, num_frames=40)
    job = RenderJob(root=str(tmp_path), name="pilot", seed=4, num_clips=3, settings=settings, assets=AssetPool())
    pilot = render_pilot(job, 1, 3)
    assert pilot.index == 1 and pilot.device == "cpu"
    assert pilot.cpu_seconds > 40 * pilot.cpu_seconds_per_frame >= 0
    manifest = json.loads((tmp_path / "parts/pilot-000001.json").read_text())
    assert manifest["num_frames"] == 3, "the long render stays, not the one of two frames"
    assert pilot.bytes > 40 / 3 * 1000
    assert pilot.peak_memory_bytes > 10**8
