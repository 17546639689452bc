"""Probes of the check target: reachable or not, how long it took, how many were lost."""

import socket
import time
from collections import deque

_KEPT = 20


class Probe:
    """Connects to a TCP port again and again; a refused connection is an answer too."""

    def __init__(self) -> None:
        self._times: deque[float | None] = deque(maxlen=_KEPT)

    def reach(self, target: tuple[str, int], timeout: float = 2.0) -> bool:
        """Return whether the target answers, and keep how long it took."""
        began = time.monotonic()
        family = socket.AF_INET6 if ":" in target[0] else socket.AF_INET
        with socket.socket(family, socket.SOCK_STREAM) as client:
            client.settimeout(timeout)
            try:
                client.connect(target)
            except ConnectionRefusedError:
                pass
            except OSError:
                self._times.append(None)
                return False
        self._times.append(time.monotonic() - began)
        return True

    def figures(self) -> dict[str, int]:
        """Return the median time (ms) of the last probes and their loss (per cent); empty before the first."""
        if not self._times:
            return {}
        answered = sorted(one for one in self._times if one is not None)
        found = {"loss": 100 * (len(self._times) - len(answered)) // len(self._times)}
        if answered:
            found["ms"] = int(answered[len(answered) // 2] * 1000)
        return found
