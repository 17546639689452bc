"""Lists of sites as CSV: `site,kind,profession,quarantined`, a line each."""

import csv
import io
from pathlib import Path

from esante.services.healthnet.policy.faults import Fault, PolicyError
from esante.services.healthnet.policy.model import PRACTICE, Site
from esante.services.healthnet.policy.parser import SITE_KEY, Vocabulary
from esante.services.healthnet.policy.yaml_file import read_text

COLUMNS = ("site", "kind", "profession", "quarantined")
MOST_SITES = 50_000


def load_sites(path: Path, words: Vocabulary) -> list[Site]:
    """Return the sites of a file. Raises: PolicyError with every fault, its line and remedy."""
    reader = csv.reader(io.StringIO(read_text(path)), strict=True)
    sites: dict[str, Site] = {}
    faults: list[Fault] = []

    def refuse(reason: str, remedy: str) -> None:
        faults.append(Fault(path.name, max(reader.line_num, 1), reason, remedy))

    try:
        if tuple(next(reader, ())) != COLUMNS:
            refuse("the first line does not name the columns", f"write {','.join(COLUMNS)}")
            raise PolicyError(faults)
        for row in reader:
            if not row:
                continue
            if len(row) != len(COLUMNS):
                refuse(f"has {len(row)} values in place of {len(COLUMNS)}", "leave a value empty, not its comma")
                continue
            key, kind, profession, quarantined = (value.strip() for value in row)
            if not SITE_KEY.fullmatch(key):
                refuse(f"{key[:40]!r} is no key of a site", "letters, digits and hyphens, at most 40")
            elif key in sites:
                refuse(f"site {key} stands here twice", "remove one of the lines")
            elif kind not in words.kinds:
                refuse(f"kind of site {kind[:40]!r} is unknown", f"one of {', '.join(sorted(words.kinds))}")
            elif profession and (kind != PRACTICE or profession not in words.professions):
                refuse(f"profession {profession[:40]!r} is not one of a {kind}", "leave it empty, or mend it")
            elif quarantined not in ("", "true", "false"):
                refuse(f"{quarantined[:40]!r} is neither true nor false", "write true, false or nothing")
            elif len(sites) == MOST_SITES:
                refuse(f"has more than {MOST_SITES:,} sites", "divide the file")
                break
            else:
                sites[key] = Site(key=key, kind=kind, profession=profession, is_quarantined=quarantined == "true")
    except csv.Error as error:
        refuse(f"is no CSV ({error})", "mend the quotes")
    if faults:
        raise PolicyError(faults)
    return list(sites.values())
