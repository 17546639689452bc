"""Make the agent's file: a zip archive that Python runs, the same bytes from the same sources."""

import io
import zipfile
from importlib.resources import files

PACKAGE = "esante.services.healthnet"
_MODULES = {
    "agent": "__init__ certificate client loop main paths probe signatures state system trial update wanted_state",
    "bundles": "__init__ format secrets",
}
_START = b"import sys\n\nfrom esante.services.healthnet.agent.main import main\n\nsys.exit(main())\n"


def agent_file() -> bytes:
    """Return the file: `#!/usr/bin/env python3` and an archive of the modules that an agent needs."""
    content = {"__main__.py": _START}
    for folder in ("esante", "esante/services", "esante/services/healthnet"):
        content[f"{folder}/__init__.py"] = b""
    for part, names in _MODULES.items():
        for name in names.split():
            source = (files(f"{PACKAGE}.{part}") / f"{name}.py").read_bytes()
            content[f"esante/services/healthnet/{part}/{name}.py"] = source
    buffer = io.BytesIO(b"")
    buffer.write(b"#!/usr/bin/env python3\n")
    with zipfile.ZipFile(buffer, "a", zipfile.ZIP_DEFLATED) as archive:
        for name, source in sorted(content.items()):
            archive.writestr(zipfile.ZipInfo(name, (2026, 1, 1, 0, 0, 0)), source, zipfile.ZIP_DEFLATED)
    return buffer.getvalue()


def unit_file() -> str:
    """Return the unit by which systemd runs the agent."""
    return (files(f"{PACKAGE}.agent") / "healthnet-agent.service").read_text("utf-8")
