"""A session without a screen: masks, scribbles and clicks from files and flags."""

import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
import tyro
from session_world import line_on
from tiny_checkpoints import write_tiny_checkpoint
from toy_networks import BlockWorld
from vosforge.datagen.imaging.images import decode_ids, encode_palette_png, encode_png
from vosforge.datagen.simulation.robot.scribble_file import frame_scribbles, write_scribbles
from vosforge.train.inference.session import command, store
from vosforge.train.inference.session.command import Segment, open_frames, run
from vosforge.train.inference.session.given_inputs import collect_inputs, ids_in
from vosforge.train.inference.session.mivos import MiVOSSession
from vosforge.train.inference.session.protocol import Clicks

WORLD = BlockWorld(5, (3, 8))


@pytest.fixture
def place(tmp_path):
    """A folder with frames, checkpoints of tiny networks, masks of frames 0 and 4 and scribbles on frame 2."""
    (tmp_path / "frames").mkdir()
    for t in range(5):
        (tmp_path / "frames" / f"f{t}.png").write_bytes(encode_png(WORLD.read(t)))
    for t in (0, 4):
        (tmp_path / f"mask{t}.png").write_bytes(encode_palette_png(WORLD.truth(t)))
    (tmp_path / "small.png").write_bytes(encode_palette_png(np.ones((30, 40), np.uint8)))
    (tmp_path / "broken.png").write_bytes((tmp_path / "mask0.png").read_bytes()[:60])
    strokes = [stroke for object_id in (3, 8) for stroke in line_on(WORLD, 2, object_id).strokes]
    write_scribbles(tmp_path / "scribbles.json", frame_scribbles("blocks", 5, 2, strokes))
    for kind in ("s2m", "propagation", "fusion"):
        write_tiny_checkpoint(tmp_path / f"{kind}.pt", kind)
    return tmp_path


OTHERS = {
    "ipn": ("--ipn={place}/ipn.pt",),
    "atnet": ("--atnet={place}/atnet.pt",),
    "wild": ("--osvos={place}/osvos.pt", "--clicknet={place}/clicknet.pt", "--tuning-iterations=2"),
}
"""System -> the flags of its networks, which `other_networks` writes."""


def segment(place, *flags: str, networks: tuple[str, ...] = ("--propagation={place}/propagation.pt",)) -> int:
    """Run the command on the frames of the place."""
    given = [str(place / "frames"), "--session", str(place / "session"), "--out", str(place / "out"), "--device", "cpu"]
    return run(tyro.cli(Segment, args=[*given, *(flag.format(place=place) for flag in networks), *flags]))


@pytest.fixture
def other_networks(place):
    """Checkpoints of tiny networks of the other three systems."""
    for kind in ("ipn", "atnet", "osvos", "clicknet"):
        write_tiny_checkpoint(place / f"{kind}.pt", kind)


def test_masks_scribbles_and_clicks_make_masks_of_all_frames(place, capsys):
    networks = ("--s2m", str(place / "s2m.pt"), "--fusion", str(place / "fusion.pt"), "--overlays")
    flags = ("--scribbles", str(place / "scribbles.json"), "--click", "3:8:+40,24", "--click", "3:3:-5,5")
    assert segment(place, *networks, "--mask", f"0={place / 'mask0.png'}", *flags) == 0
    assert sorted(path.name for path in (place / "out").iterdir()) == [*(f"f{t}.png" for t in range(5)), "overlays"]
    assert len(list((place / "out" / "overlays").iterdir())) == 5
    assert np.array_equal(decode_ids((place / "out" / "f0.png").read_bytes()), WORLD.truth(0))
    assert "5 masks" in capsys.readouterr().out


@pytest.mark.usefixtures("other_networks")
@pytest.mark.parametrize("system", OTHERS)
def test_each_system_segments_and_goes_on(place, capsys, system):
    first = (f"--mask=0={place / 'mask0.png'}", f"--scribbles={place / 'scribbles.json'}")
    assert segment(place, *first, networks=OTHERS[system]) == 0
    before = (place / "out" / "f0.png").read_bytes()
    assert np.array_equal(decode_ids(before), WORLD.truth(0))
    assert "given were frames 0, 2\n" in capsys.readouterr().out
    assert segment(place, "--click=3:8:+40,24", networks=OTHERS[system]) == 0
    assert "given were frames 0, 2, 3\n" in capsys.readouterr().out
    assert (place / "out" / "f0.png").read_bytes() == before
    with pytest.raises(ValueError, match=r"the session in .* is one of .*, not of MiVOS"):
        segment(place)


@pytest.mark.usefixtures("other_networks")
@pytest.mark.parametrize(
    ("networks", "message"),
    [
        ((), "no checkpoint is given; give --propagation for MiVOS; --ipn for IPN; --atnet for ATNet; --osvos for"),
        (OTHERS["ipn"] + OTHERS["atnet"], "--ipn and --atnet are of several systems; give --propagation for MiVOS"),
        (("--fusion={place}/fusion.pt",), "MiVOS needs --propagation beside --fusion"),
        (OTHERS["wild"][1:], "the wild session needs --osvos beside --clicknet"),
        (OTHERS["wild"][:1], "scribbles and clicks need a click network; give --clicknet"),
        ((*OTHERS["ipn"], "--top-k=20"), "--top-k is of MiVOS, not of IPN; leave it out"),
        ((*OTHERS["atnet"], "--tuning-iterations=20"), "--tuning-iterations is of the wild session, not of ATNet"),
        (("--ipn={place}/atnet.pt",), "holds a network of kind 'atnet', expected 'ipn'"),
    ],
)
def test_networks_that_make_no_system_are_named(place, networks, message):
    with pytest.raises(ValueError, match=message):
        segment(place, "--click=1:2:+30,40", networks=networks)
    assert not (place / "out").exists() and not (place / "session").exists()


def test_a_second_call_goes_on_with_the_session(place, capsys):
    assert segment(place, "--mask", f"0={place / 'mask0.png'}") == 0
    assert segment(place, "--mask", f"4={place / 'mask4.png'}") == 0
    for t in (0, 4):
        assert np.array_equal(decode_ids((place / "out" / f"f{t}.png").read_bytes()), WORLD.truth(t))
    assert "given were frames 0, 4" in capsys.readouterr().out
    assert segment(place) == 0  # nothing new: the masks are written again


def test_a_grey_mask_is_one_object(place):
    cv2.imwrite(str(place / "grey.png"), (WORLD.truth(1) == 3) * np.uint8(255))
    assert segment(place, "--mask", f"1={place / 'grey.png'}") == 0
    ids = decode_ids((place / "out" / "f1.png").read_bytes())
    assert np.array_equal(ids, (WORLD.truth(1) == 3).astype(np.uint8))
    with pytest.raises(ValueError, match=r"the objects of the session in .* are \[1\], not \[2\]"):
        segment(place, "--objects", "2")


@pytest.mark.parametrize("flag", ["--out", "--session"])
def test_frames_and_other_data_are_not_written_into(place, flag):
    before = sorted(path.name for path in (place / "frames").iterdir())
    (place / "corpus").mkdir()
    (place / "corpus" / "index.json").write_text("{}")
    truths = place / "tree" / "Annotations" / "bear"
    (place / "tree" / "JPEGImages").mkdir(parents=True)
    truths.mkdir(parents=True)
    for folder, message in (
        ("frames", f"{flag}: .*frames is the folder of the frames"),
        ("corpus", rf"{flag} .*corpus holds data \(index.json\)"),
        ("corpus/mine", rf"{flag} .*mine lies among the data in .*corpus \(index.json\)"),
        (str(truths), rf"{flag} .*bear lies among the data in .*tree \(JPEGImages\)"),
        ("s2m.pt", f"{flag} .*s2m.pt is a file"),
    ):
        with pytest.raises(ValueError, match=message):
            segment(place, "--mask", f"0={place / 'mask0.png'}", flag, str(place / folder))
    with pytest.raises(ValueError, match="is where the session keeps its own masks"):
        segment(place, "--mask", f"0={place / 'mask0.png'}", "--out", str(place / "session" / "masks"))
    assert sorted(path.name for path in (place / "frames").iterdir()) == before


@pytest.mark.parametrize(("flag", "name"), [("--out", "overlays"), ("--session", "masks")])
def test_frames_that_lie_where_a_call_would_write_are_kept(place, flag, name):
    frames = place / "mine" / name
    (place / "mine").mkdir()
    (place / "frames").rename(frames)
    before = {path.name: path.read_bytes() for path in frames.iterdir()}
    flags = (flag, str(place / "mine"), "--overlays", "--mask", f"0={place / 'mask0.png'}")
    (place / "frames").symlink_to(frames)
    with pytest.raises(ValueError, match=f"{name} is the folder of the frames"):
        segment(place, *flags)
    assert {path.name: path.read_bytes() for path in frames.iterdir()} == before


def test_an_object_that_a_mask_does_not_show_is_not_in_its_frame(place):
    assert segment(place, "--mask", f"0={place / 'mask0.png'}") == 0
    (place / "one.png").write_bytes(encode_palette_png(np.where(WORLD.truth(0) == 3, 3, 0).astype(np.uint8)))
    assert segment(place, "--mask", f"0={place / 'one.png'}") == 0
    assert np.array_equal(np.unique(decode_ids((place / "out" / "f0.png").read_bytes())), [0, 3])
    (place / "none.png").write_bytes(encode_palette_png(np.zeros(WORLD.size, np.uint8)))
    assert segment(place, "--mask", f"2={place / 'none.png'}") == 0
    assert not decode_ids((place / "out" / "f2.png").read_bytes()).any()


def test_what_was_stopped_goes_on_with_the_next_call(place, monkeypatch, capsys):
    def stopping(frames):
        source = open_frames(frames)
        read = source.read
        source.read = lambda t: read(t) if t != 3 else stop()
        return source

    def stop():
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(command, "open_frames", stopping)
        assert segment(place, "--mask", f"0={place / 'mask0.png'}") == 130
    assert "the same command without inputs goes on" in capsys.readouterr().err and not (place / "out").exists()
    assert segment(place) == 0 and len(list((place / "out").iterdir())) == 5


@pytest.mark.parametrize("wrong", [KeyboardInterrupt, OSError(28, "No space left on device")])
def test_inputs_are_taken_all_or_none(place, monkeypatch, capsys, wrong):
    assert segment(place, "--mask", f"0={place / 'mask0.png'}") == 0
    before = {path.name: path.read_bytes() for path in (place / "out").iterdir()}
    commit = MiVOSSession.commit

    def failing(session):
        if session.given_frames == (0, 2):
            raise wrong
        commit(session)

    flags = [f"--mask={t}={place / 'mask4.png'}" for t in (2, 4)]
    with monkeypatch.context() as patch:
        patch.setattr(MiVOSSession, "commit", failing)
        if wrong is KeyboardInterrupt:
            assert segment(place, *flags) == 130
            assert "no input was taken, the same command begins anew" in capsys.readouterr().err
        else:
            with pytest.raises(OSError, match="No space left"):
                segment(place, *flags)
    assert segment(place) == 0 and "given were frames 0\n" in capsys.readouterr().out
    assert {path.name: path.read_bytes() for path in (place / "out").iterdir()} == before
    assert segment(place, *flags) == 0 and "given were frames 0, 2, 4" in capsys.readouterr().out


def test_a_disk_that_fills_up_leaves_a_session_that_goes_on(place, monkeypatch):
    replace = store._replace

    def filling(path, content):
        if path.name.startswith("00003"):
            raise OSError(28, "cannot write masks: No space left on device", str(path))
        replace(path, content)

    with monkeypatch.context() as patch:
        patch.setattr(store, "_replace", filling)
        with pytest.raises(OSError, match=r"No space left .*00003.*; what was set is kept, the same command without"):
            segment(place, "--mask", f"0={place / 'mask0.png'}")
    assert segment(place) == 0 and len(list((place / "out").iterdir())) == 5


def test_a_session_that_another_process_works_on_is_left_alone(place):
    assert segment(place, "--mask", f"0={place / 'mask0.png'}") == 0
    before = (place / "session" / "session.json").read_bytes()
    program = (
        "import sys; from pathlib import Path; from vosforge.train.inference.session.folder_lock import hold_folder\n"
        f"lock = hold_folder(Path({str(place / 'session')!r})); print('held', flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout.readline() == "held\n"
        with pytest.raises(ValueError, match=r"session is open already, in another process .*give another folder"):
            segment(place, "--mask", f"4={place / 'mask4.png'}")
        other.stdin.close()
    assert (place / "session" / "session.json").read_bytes() == before
    assert segment(place, "--mask", f"4={place / 'mask4.png'}") == 0


def test_swapped_and_wrong_folders_are_named(place):
    mask = ("--mask", f"0={place / 'mask0.png'}")
    with pytest.raises(ValueError, match=r"--out .*session is the folder of a session"):
        segment(place, *mask, "--out", str(place / "session"))
    assert segment(place, *mask) == 0
    for flag, folder, message in (
        (
            "--session",
            "out",
            "--session .*out holds no session, but f0.png; give the folder of a session, or a new one",
        ),
        ("--out", "session", "--out .*session is the folder of a session"),
    ):
        with pytest.raises(ValueError, match=message):
            segment(place, *mask, flag, str(place / folder))
    (place / "pictures").mkdir()
    (place / "pictures" / "f3.png").write_bytes(encode_png(WORLD.read(3)))
    with pytest.raises(ValueError, match=r"pictures holds f3.png, which is no mask \(RGB\); give another folder"):
        segment(place, *mask, "--out", str(place / "pictures"))
    for name in ("notes.txt", "f9.png"):
        (place / name[:2]).mkdir()
        (place / name[:2] / name).write_bytes(encode_palette_png(WORLD.truth(0)))
        with pytest.raises(ValueError, match=f"holds {name}, which is no mask of this video; give another folder"):
            segment(place, *mask, "--out", str(place / name[:2]))
        assert [path.name for path in (place / name[:2]).iterdir()] == [name]
    (place / "stopped" / "masks").mkdir(parents=True)
    (place / "stopped" / ".lock").touch()
    assert segment(place, *mask, "--session", str(place / "stopped")) == 0
    with pytest.raises(ValueError, match="there is no video at nothing; give a video file, or"):
        open_frames(Path("nothing"))


def test_clicks_of_a_frame_are_one_input_and_ids_are_those_of_the_inputs():
    clicks = ("2:1:+10,20", "4:7:+1,2", "2:1:-30.5,40", "2:0:+3,3")
    first, second = collect_inputs((), (), clicks, num_frames=5, size=(48, 96))
    assert first == (2, {1: Clicks(positive=((10, 20),), negative=((30.5, 40),)), 0: Clicks(positive=((3, 3),))})
    assert second[0] == 4 and ids_in([first, second]) == (1, 7)


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ((), "no object is known; give --mask"),
        (("--mask", "0"), "write FRAME=PNG"),
        (("--mask", "0={place}/missing.png"), "there is no mask at .*missing.png; give the path of a file"),
        (("--scribbles", "{place}/missing.json"), "there is no scribble file at .*missing.json"),
        (("--mask", "0={place}/frames/f0.png"), "f0.png has mode RGB; masks are palette pictures"),
        (("--mask", "0={place}/small.png"), "small.png is 40x30, the frames are 96x48"),
        (("--mask", "0={place}/broken.png"), "broken.png cannot be read"),
        (("--mask", "²={place}/mask0.png"), "write FRAME=PNG"),
        (("--mask", "9={place}/mask0.png"), "an input is on frame 9; the video has frames 0 to 4"),
        (("--click", "1:2:30,40"), "'1:2:30,40' is no click; write FRAME:OBJECT"),
        (("--click", "1:2:+30,40"), "scribbles and clicks need a Scribble-to-Mask network; give --s2m"),
        (("--mask", "0={place}/mask0.png", "--objects", "3"), "an input is of object 8; the objects are 3"),
        (("--propagation", "{place}/missing.pt", "--mask", "0={place}/mask0.png"), "no checkpoint at"),
    ],
)
def test_mistakes_are_named(place, flags, message):
    with pytest.raises(ValueError, match=message):
        segment(place, *(flag.format(place=place) for flag in flags))
    assert not (place / "out").exists() and not (place / "session").exists()
