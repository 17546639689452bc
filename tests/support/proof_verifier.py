"""The stand-alone verifier run as a person would: a file of its own, with the standard library only."""

import asyncio
import json
import subprocess
import sys
from io import BytesIO
from pathlib import Path
from typing import Any
from uuid import UUID

from esante.core.journal import Journal, verifier_source


async def prove(journal: Journal, person_id: UUID) -> Any:
    """Return the proof of a person, or None before the first seal."""
    file = BytesIO()
    return json.loads(file.getvalue()) if await journal.proofs.write(person_id, file) else None


async def run_verifier(folder: Path, proof: Any, *options: str) -> subprocess.CompletedProcess[str]:
    """Run it on a proof (JSON, or the text of a file)."""
    (folder / "verifier.py").write_text(verifier_source(), encoding="utf-8")
    text = proof if isinstance(proof, str) else json.dumps(proof)
    (folder / "proof.json").write_text(text, encoding="utf-8")
    return await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-I", "-S", "verifier.py", "proof.json", *options],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
