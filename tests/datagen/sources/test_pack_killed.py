import hashlib
import json
import os
import signal
import subprocess
import sys
import time

import pytest
from video_trees import davis_2017
from vosforge.datagen.corpus.reader import Corpus, NotACorpus
from vosforge.datagen.farm.farm import FarmSettings
from vosforge.datagen.sources.pack import PackJob, pack_corpus
from vosforge.datagen.sources.source import open_source
from vosforge.datagen.verify.corpus import verify

PACK = (
    "import sys; from vosforge.datagen.commands.pack import Pack, run; "
    "sys.exit(run(Pack(source='davis-2017', root=__import__('pathlib').Path(sys.argv[1]), out=sys.argv[2], "
    "workers=2, executor='local', clips_per_shard=4)))"
)


@pytest.mark.slow
def test_a_killed_pack_resumes_to_the_same_bytes(tmp_path):
    names = [f"clip{number:02d}" for number in range(24)]
    source = open_source("davis-2017", davis_2017(tmp_path / "set", {"train": names, "val": ["swan"]}, frames=20))
    start = [sys.executable, "-c", PACK, str(tmp_path / "set"), str(tmp_path / "out")]
    process = subprocess.Popen(start, start_new_session=True)
    limit = time.monotonic() + 120
    while not list((tmp_path / "out").glob("parts/*.json")) and time.monotonic() < limit:
        time.sleep(0.02)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert process.returncode == -signal.SIGKILL, "it was killed before it had ended by itself"
    assert list((tmp_path / "out").glob("parts/*.json")) or list((tmp_path / "out").glob("shards/*.json"))
    with pytest.raises(NotACorpus, match="not finished"):
        Corpus.open(tmp_path / "out")
    assert subprocess.run(start, check=False).returncode == 0
    assert verify(tmp_path / "out") == []
    pack_corpus(
        PackJob(root=str(tmp_path / "plain"), source=source, name="davis-2017", clips_per_shard=4),
        FarmSettings(executor="local"),
    )
    assert files_of(tmp_path / "out") == files_of(tmp_path / "plain")


def files_of(root) -> dict[str, str]:
    """The files of a corpus, the journal left out, and their hashes."""
    assert json.loads((root / "index.json").read_text())["missing"] == []
    files = [path for path in sorted(root.rglob("*")) if path.is_file() and "journal" not in path.parts]
    return {str(path.relative_to(root)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}
