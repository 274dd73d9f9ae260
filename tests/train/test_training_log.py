import cv2
import numpy as np
import pytest
from vosforge.train.log import MetricsLog, MetricWindow, read_metrics


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
    log.write_pictures(1, {"clips": np.zeros((4, 4, 3), np.uint8)})
    log.close()
    assert read_metrics(tmp_path / "metrics.jsonl") == [{"step": 1, "loss": 2.0}]
    assert (tmp_path / "validation" / "clips" / "step-00000001.png").exists()


def test_window_survives_a_checkpoint():
    window = MetricWindow()
    window.add({"loss": 1.0})
    restored = MetricWindow(window.state())
    restored.add({"loss": 3.0})
    assert restored.means() == {"loss": 2.0}


def test_pictures_lie_in_the_run_folder_and_in_tensorboard(tmp_path):
    accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    picture = np.zeros((8, 12, 3), np.uint8)
    picture[:, 6:] = (250, 120, 10)
    log = MetricsLog(tmp_path, 0)
    log.write(5, {"clips/J&F": 0.5, "val_loss": 2.0}, prefix="val")
    log.write_pictures(5, {"clips": picture})
    log.write_training_picture(5, picture)
    log.close()
    for path in ("validation/clips/step-00000005.png", "pictures/step-00000005.png"):
        assert np.array_equal(cv2.imread(str(tmp_path / path))[..., ::-1], picture)
    events = accumulator.EventAccumulator(str(tmp_path / "tensorboard")).Reload()
    assert set(events.Tags()["images"]) == {"validation/clips", "train/predictions"}
    (shown,) = events.Images("validation/clips")
    assert shown.step == 5 and (shown.width, shown.height) == (12, 8)
    assert np.array_equal(
        cv2.imdecode(np.frombuffer(shown.encoded_image_string, np.uint8), cv2.IMREAD_COLOR)[..., ::-1], picture
    )
    assert events.Scalars("val/clips/J_and_F")[0].value == 0.5
    assert events.Scalars("val/loss")[0].value == 2.0


@pytest.mark.parametrize("line", ['{"foo": 1}', "[1]", "1", '{"step": "2"}', '{"step": 2, "loss": null}'])
def test_a_line_that_is_no_record_is_named_when_a_run_goes_on(tmp_path, line):
    content = f'{{"step": 1}}\n{line}\n{{"step": 3}}\n'
    (tmp_path / "metrics.jsonl").write_text(content)
    with pytest.raises(ValueError, match=r"metrics\.jsonl is damaged in line 2 .*remove that line"):
        MetricsLog(tmp_path, 3)
    assert (tmp_path / "metrics.jsonl").read_text() == content


def test_a_damaged_line_is_named(tmp_path):
    (tmp_path / "metrics.jsonl").write_text('{"step": 1}\n{"step": 2, "lo\n{"step": 3}\n')
    with pytest.raises(ValueError, match=r"metrics\.jsonl is damaged in line 2"):
        read_metrics(tmp_path / "metrics.jsonl")
