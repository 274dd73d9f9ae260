import pytest
from video_trees import davis_2017
from vosforge.datagen.commands import pack as command


def run_command(*options: str) -> int:
    import tyro

    return command.run(tyro.cli(command.Pack, args=["--executor", "local", *options]))


def test_the_command_packs_and_tells_success_damage_and_mistakes_apart(tmp_path, capsys):
    davis_2017(tmp_path / "set")
    place = ["--source", "davis-2017", "--root", str(tmp_path / "set"), "--out", str(tmp_path / "out")]
    picture = tmp_path / "set/JPEGImages/480p/bear/00001.jpg"
    content = picture.read_bytes()
    picture.write_bytes(content[:99])
    assert run_command(*place) == 1
    said = capsys.readouterr()
    assert "2 clips packed, 0 there already, 1 missing" in said.out
    assert f"missing davis-2017-000000: {picture}: 99 bytes cannot be decoded" in said.err
    picture.write_bytes(content)
    assert run_command(*place) == 0
    assert "1 clips packed, 2 there already, 0 missing" in capsys.readouterr().out
    for options, complaint in (
        (["--split", "dev"], "no split 'dev'"),
        (["--option", "frames=3"], "the options of davis-2017 are resolution"),
        (["--option", "resolution=1080p"], "expected 1080p"),
        (["--limit", "0"], "--limit 0: must be at least 1"),
        (["--workers", "0"], "--workers 0: must be at least 1"),
        (["--address", "auto"], "leave --executor local out"),
    ):
        with pytest.raises(ValueError, match=complaint):
            run_command(*place, *options)


def test_options_of_a_source_are_read_in_their_types():
    from vosforge.datagen.sources.videos.bl30k import Bl30k
    from vosforge.datagen.sources.videos.youtube_vos import YouTubeVos

    assert command.read_options(["all-frames=true"], YouTubeVos) == {"all_frames": True}
    assert command.read_options(["num_frames=0"], Bl30k) == {"num_frames": 0}
    with pytest.raises(ValueError, match="num_frames=many: must be a whole number"):
        command.read_options(["num_frames=many"], Bl30k)
    with pytest.raises(ValueError, match="all_frames=yes: must be true or false"):
        command.read_options(["all_frames=yes"], YouTubeVos)
