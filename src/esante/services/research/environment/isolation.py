"""How a job is shut in: bubblewrap (namespaces of users, processes, network, files), and what it may see.

A job sees the interpreter and its libraries, the extraction of its permit, all read-only, and two small folders in
memory. It has no network, no `/proc`, no `/etc`, no other process, and no way to a further user namespace.
"""

import os
import shutil
import sys
import sysconfig
from collections.abc import Mapping
from pathlib import Path

from esante.services.research.environment.model import JobLimits

BUBBLEWRAP = "bwrap"
RUNNER = Path(__file__).with_name("runner.py")
_NOBODY = "65534"
_SYSTEM = ("/usr/lib", "/usr/lib64")
_MOUNTS = "/mnt"
# The kernel counts no processes against root, and the folders of the platform are closed to others. Run as root, the
# folders are mounted in a private namespace, where another user reaches these and no more.
_AS_ROOT = f"""set -e
mount -t tmpfs -o mode=755,size=1m tmpfs {_MOUNTS}
n=0
while [ "$1" != -- ]; do
  if [ -d "$1" ]; then mkdir {_MOUNTS}/$n; else : > {_MOUNTS}/$n; fi
  mount --bind "$1" {_MOUNTS}/$n; n=$((n+1)); shift
done
shift
exec setpriv --reuid {_NOBODY} --regid {_NOBODY} --clear-groups --no-new-privs "$@"
"""


def command(data: Path, limits: JobLimits, *, as_root: bool | None = None) -> list[str]:
    """Return the command of a sandbox over an extraction; its program reads a job from standard input."""
    is_root = os.geteuid() == 0 if as_root is None else as_root
    places = _places(data)
    seen = {source: f"{_MOUNTS}/{number}" if is_root else source for number, source in enumerate(places)}
    shut = [
        BUBBLEWRAP,
        *("--unshare-all", "--unshare-user", "--disable-userns", "--die-with-parent", "--new-session", "--clearenv"),
        *(part for source, place in places.items() for part in ("--ro-bind", seen[source], place)),
        *("--symlink", "usr/lib", "/lib", "--symlink", "usr/lib64", "/lib64"),
        *("--dev", "/dev", "--remount-ro", "/dev"),
        *("--size", str(limits.output_size * 2), "--tmpfs", "/output"),
        *("--size", str(limits.scratch_size), "--tmpfs", "/scratch", "--remount-ro", "/", "--chdir", "/scratch"),
        *("--setenv", "HOME", "/scratch", "--setenv", "TMPDIR", "/scratch"),
        *("--setenv", "OPENBLAS_NUM_THREADS", "1", "--setenv", "OMP_NUM_THREADS", "1"),
        *(sys.executable, "-I", "-B", "/job/runner.py"),
    ]
    if not is_root:
        return shut
    mounts = ["unshare", "--mount", "--propagation", "private", "--", "sh", "-c", _AS_ROOT, "sh"]
    return [*mounts, *places, "--", *shut]


def missing_programs(*, as_root: bool | None = None) -> list[str]:
    """Return the programs that a sandbox needs and that are not here."""
    is_root = os.geteuid() == 0 if as_root is None else as_root
    needed = [BUBBLEWRAP, *(("unshare", "setpriv", "mount", "sh") if is_root else ())]
    return [name for name in needed if shutil.which(name) is None]


def _places(data: Path) -> Mapping[str, str]:
    """Return what the sandbox sees: each folder or file of this machine, and its place inside."""
    found = {path: path for path in _SYSTEM if Path(path).is_dir()}
    for path in (sys.prefix, sys.base_prefix, sysconfig.get_paths()["purelib"], str(Path(sys.executable).resolve())):
        if not any(Path(path).is_relative_to(one) for one in found):
            found[path] = path
    return found | {str(RUNNER): "/job/runner.py", str(data): "/data"}
