"""The client apart from the program: its folder is copied, and works without the rest."""

import shutil
import subprocess
import sys
from pathlib import Path

from esante.services.billing import client

SCRIPT = """
import sys
from fee_note_client import Entry, FeeNoteClient, NoteQueue, PlatformApi, State
from pathlib import Path
queue = NoteQueue(Path("queue.db"))
client = FeeNoteClient(PlatformApi("http://127.0.0.1:9", "token", "1000000018"), queue)
assert client.catch_up() == []
assert not any(name.partition(".")[0] == "esante" for name in sys.modules)
"""


def test_copied_folder_works_without_the_program(tmp_path):
    shutil.copytree(
        Path(client.__file__).parent, tmp_path / "fee_note_client", ignore=shutil.ignore_patterns("__pycache__")
    )
    subprocess.run([sys.executable, "-c", SCRIPT], cwd=tmp_path, check=True)
