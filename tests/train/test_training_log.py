import numpy as np
from vosforge.train.log import MetricsLog, MetricWindow, prediction_picture, read_metrics


def test_reopened_log_drops_later_steps_and_a_torn_line(tmp_path):
    log = MetricsLog(tmp_path, 0)
    for step in (1, 2, 3):
        log.write(step, {"loss": 1.0 / step})
    log.close()
    with (tmp_path / "metrics.jsonl").open("a") as file:
        file.write('{"step": 4, "lo')
    log = MetricsLog(tmp_path, 2)
    log.write(3, {"loss": 0.5})
    log.close()
    assert [record["step"] for record in read_metrics(tmp_path / "metrics.jsonl")] == [1, 2, 3]


def test_run_without_tensorboard_says_so_and_logs_on(tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "torch.utils.tensorboard", None)
    log = MetricsLog(tmp_path, 0)
    assert "tensorboard is not installed" in log.note
    log.write(1, {"loss": 2.0})
    log.close()
    assert read_metrics(tmp_path / "metrics.jsonl") == [{"step": 1, "loss": 2.0}]


def test_window_survives_a_checkpoint():
    window = MetricWindow()
    window.add({"loss": 1.0})
    restored = MetricWindow(window.state())
    restored.add({"loss": 3.0})
    assert restored.means() == {"loss": 2.0}


def test_picture_shows_truth_and_prediction_side_by_side():
    rgb = np.full((2, 3, 3, 16, 24), 0.5, np.float32)
    labels, predicted = np.zeros((2, 3, 16, 24)), np.zeros((2, 2, 16, 24))
    predicted[1, 1, 4:12, 4:12] = 1
    picture = prediction_picture(rgb, labels, predicted)
    assert picture.shape == (32, 120, 3) and picture.dtype == np.uint8
    changed = np.abs(picture.astype(int) - 128).max(axis=2) > 1
    assert changed[16:, 96:].any() and not changed[:16].any() and not changed[:, :96].any()
