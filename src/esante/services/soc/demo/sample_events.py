"""Invented events of a hospital and a laboratory, the same for the same seed: an ordinary day, and two attacks."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from random import Random

import orjson

from esante.services.soc.sources.model import SourceKind

QUIET_HOURS = 8
_PRIORITY = 134
_USERS = ("anna.muster", "ben.muster", "carla.muster", "svc-backup")


def sample_events(now: datetime, seed: int) -> dict[SourceKind, list[bytes]]:
    """Return messages by kind of source, of the hours before a moment."""
    random = Random(seed)  # noqa: S311 - nothing secret
    start = now - timedelta(hours=QUIET_HOURS)
    return {
        SourceKind.SYSLOG: [*_firewall(start, random), *_attacked_host(now - timedelta(minutes=40), random)],
        SourceKind.WINDOWS: [*_sign_ins(start, random), _shadow_copies(now - timedelta(minutes=12))],
        SourceKind.AUDIT: [*_record_reads(start, random)],
    }


def _firewall(start: datetime, random: Random) -> Iterator[bytes]:
    for _ in range(400):
        at = start + timedelta(seconds=random.randrange(QUIET_HOURS * 3_600))
        source, port = (
            f"10.20.{random.randrange(4)}.{random.randrange(1, 250)}",
            random.choice((443, 443, 53, 22, 445)),
        )
        act = "ACCEPT" if port in (443, 53) else "DROP"
        yield _line(
            at, "sample-fw-1", "kernel", f"{act} IN=lan SRC={source} DST=192.0.2.{random.randrange(1, 20)} DPT={port}"
        )


def _attacked_host(start: datetime, random: Random) -> Iterator[bytes]:
    for number in range(14):
        at = start + timedelta(seconds=number * 7)
        port = random.randrange(40_000, 60_000)
        text = f"Failed password for invalid user admin{number} from 198.51.100.7 port {port} ssh2"
        yield _line(at, "sample-gateway", "sshd", text)


def _sign_ins(start: datetime, random: Random) -> Iterator[bytes]:
    for number in range(300):
        at = start + timedelta(seconds=random.randrange(QUIET_HOURS * 3_600))
        yield orjson.dumps(
            {
                "Channel": "Security",
                "EventID": 4624,
                "Computer": f"sample-ws-{random.randrange(1, 9)}",
                "TimeCreated": at.isoformat(),
                "TargetUserName": random.choice(_USERS),
                "LogonType": "3",
                "IpAddress": f"10.20.1.{random.randrange(1, 250)}",
                "EventRecordID": number,
            }
        )


def _shadow_copies(at: datetime) -> bytes:
    return orjson.dumps(
        {
            "Channel": "Microsoft-Windows-Sysmon/Operational",
            "EventID": 1,
            "Computer": "sample-ws-4",
            "UtcTime": at.isoformat(),
            "User": "svc-backup",
            "Image": "C:\\Windows\\System32\\vssadmin.exe",
            "CommandLine": "vssadmin.exe delete shadows /all /quiet",
        }
    )


def _record_reads(start: datetime, random: Random) -> Iterator[bytes]:
    for number in range(120):
        at = start + timedelta(seconds=random.randrange(QUIET_HOURS * 3_600))
        yield orjson.dumps(
            {
                "resourceType": "AuditEvent",
                "id": f"sample-{number}",
                "type": {"system": "http://dicom.nema.org/resources/ontology/DCM", "code": "110110"},
                "action": "R",
                "recorded": at.isoformat(),
                "outcome": "0",
                "agent": [{"who": {"display": random.choice(_USERS)}, "name": "sample", "requestor": True}],
                "source": {"observer": {"display": "sample-pacs"}},
                "entity": [{"what": {"reference": f"Patient/sample-{random.randrange(40)}"}}],
            }
        )


def _line(at: datetime, host: str, program: str, text: str) -> bytes:
    return f"<{_PRIORITY}>1 {at.isoformat()} {host} {program} - - - {text}".encode()
