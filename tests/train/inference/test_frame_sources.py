"""Videos read frame by frame: from arrays, functions, folders and files."""

import cv2
import numpy as np
import pytest
from vosforge.datagen.imaging.images import encode_jpeg, encode_png
from vosforge.train.inference.session.frames import ArrayFrames, CallableFrames, FolderFrames
from vosforge.train.inference.session.video_frames import VideoFrames


@pytest.fixture
def frames():
    """12 frames of 40x64, each of a shade of its own."""
    shades = np.arange(12, dtype=np.uint8)[:, None, None, None] * 20
    return np.broadcast_to(shades, (12, 40, 64, 3)).copy()


@pytest.fixture
def video(tmp_path, frames):
    path = tmp_path / "video.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"MJPG"), 25, (64, 40))
    for frame in frames:
        writer.write(frame)
    writer.release()
    return path


def test_arrays_and_functions_are_frame_sources(frames):
    for source in (ArrayFrames(frames), CallableFrames(12, lambda t: frames[t])):
        assert source.num_frames == 12 and source.size == (40, 64)
        assert np.array_equal(source.read(7), frames[7])


def test_a_folder_is_read_in_the_order_of_names(tmp_path):
    rgb = np.zeros((8, 10, 3), np.uint8)
    for name, red in (("00002.png", 40), ("00000.png", 20), ("00001.png", 30)):
        rgb[..., 0] = red
        (tmp_path / name).write_bytes(encode_png(rgb))
    (tmp_path / "notes.txt").write_text("no picture")
    (tmp_path / "._00000.png").write_bytes(b"what a file system keeps beside a picture")
    source = FolderFrames(tmp_path)
    assert source.num_frames == 3 and source.size == (8, 10)
    assert [int(source.read(t)[0, 0, 0]) for t in range(3)] == [20, 30, 40]
    assert not source.read(0)[..., 2].any()  # RGB


def test_frames_with_numbers_of_different_lengths_are_read_in_the_order_of_the_numbers(tmp_path):
    for t in (10, 1, 2):
        (tmp_path / f"f{t}.png").write_bytes(encode_png(np.full((8, 10, 3), t, np.uint8)))
    source = FolderFrames(tmp_path)
    assert [path.name for path in source.paths] == ["f1.png", "f2.png", "f10.png"]
    assert [int(source.read(t)[0, 0, 0]) for t in range(3)] == [1, 2, 10]
    (tmp_path / "f02.png").touch()
    with pytest.raises(ValueError, match="the order of the frames f02 and f2 is not clear"):
        FolderFrames(tmp_path)


@pytest.mark.parametrize("buffer_frames", [1, 3, 100])
def test_a_video_file_is_read_in_any_order(video, frames, buffer_frames):
    source = VideoFrames(video, buffer_bytes=buffer_frames * frames[0].nbytes)
    assert source.num_frames == 12 and source.size == (40, 64)
    for t in [*range(12), *range(11, -1, -1), 6, 2, 9, 9, 3]:
        assert abs(source.read(t).astype(int) - frames[t]).max() <= 2


def test_a_video_file_keeps_no_more_frames_than_it_may(video, frames):
    source = VideoFrames(video, buffer_bytes=3 * frames[0].nbytes)
    for t in (11, 0, 5):
        source.read(t)
        assert len(source._buffer) <= 3


def test_reading_backwards_decodes_the_video_once_a_buffer(video, frames, monkeypatch):
    source, opened = VideoFrames(video, buffer_bytes=4 * frames[0].nbytes), []
    opening = source._open
    monkeypatch.setattr(source, "_open", lambda: opened.append(1) or opening())
    for t in range(11, -1, -1):
        source.read(t)
    assert len(opened) == 2  # frames 11..8 on the way there, then 7..4, then 3..0


def test_a_frame_that_was_read_is_the_reader_s_own(video):
    source = VideoFrames(video)
    source.read(3)[:] = 255
    assert source.read(3).max() < 255


def test_what_is_no_video_is_named(tmp_path, frames):
    with pytest.raises(ValueError, match="is no folder"):
        FolderFrames(tmp_path / "missing")
    with pytest.raises(ValueError, match="holds no picture"):
        FolderFrames(tmp_path)
    with pytest.raises(ValueError, match="no video file"):
        VideoFrames(tmp_path / "missing.mp4")
    (tmp_path / "text.mp4").write_text("this is no video")
    with pytest.raises(ValueError, match="cannot be decoded as a video"):
        VideoFrames(tmp_path / "text.mp4")
    with pytest.raises(ValueError, match=r"float64 \(2, 4, 4, 3\)"):
        ArrayFrames(np.zeros((2, 4, 4, 3)))
    with pytest.raises(IndexError, match="frame 12 is asked for; the video has frames 0 to 11"):
        ArrayFrames(frames).read(12)


def test_masks_among_the_frames_are_not_taken_for_frames(tmp_path):
    for name in ("0.jpg", "0.png"):
        (tmp_path / name).write_bytes(b"not looked at")
    with pytest.raises(ValueError, match=r"holds 0\.jpg and 0\.png; leave one picture of each frame there"):
        FolderFrames(tmp_path)


def test_a_frame_of_another_size_or_a_broken_picture_is_named(tmp_path):
    for name, height in (("0.jpg", 8), ("1.jpg", 9)):
        (tmp_path / name).write_bytes(encode_jpeg(np.zeros((height, 10, 3), np.uint8)))
    (tmp_path / "2.jpg").write_bytes(b"broken")
    source = FolderFrames(tmp_path)
    with pytest.raises(ValueError, match=r"frame 1 is uint8 \(9, 10, 3\), expected uint8 \(8, 10, 3\)"):
        source.read(1)
    with pytest.raises(ValueError, match=r"2\.jpg cannot be read as a picture"):
        source.read(2)
