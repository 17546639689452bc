"""The indicators in force in memory: one look-up for each observable of an event."""

import ipaddress
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from esante.services.soc.intelligence.model import IndicatorHit, KeptIndicator
from esante.services.soc.intelligence.observables import Observable, ObservableKind, observables_of
from esante.services.soc.intelligence.warning_lists import WarningLists


class IndicatorSet:
    """Indicators by value; those that are not in force, revoked or too common are not in it."""

    def __init__(self, lists: WarningLists) -> None:
        self._lists = lists
        self._by_value: dict[str, dict[Any, KeptIndicator]] = {}
        self._networks: dict[tuple[int, int], dict[int, str]] = {}
        self.common = 0
        """How many indicators were left out since they are too common."""

    def __len__(self) -> int:
        return sum(map(len, self._by_value.values()))

    def put(self, indicators: Iterable[KeptIndicator]) -> None:
        """Add indicators, or replace them in their new state."""
        for one in indicators:
            observable = Observable(one.kind, one.value)
            if one.revoked:
                self._remove(one)
            elif self._lists.hold(observable):
                self.common += 1
            else:
                self._by_value.setdefault(one.value, {})[one.indicator_id] = one
                if one.kind is ObservableKind.NETWORK:
                    version, bits, prefix = _prefix(one.value)
                    self._networks.setdefault((version, bits), {})[prefix] = one.value

    def forget_ended(self, now: datetime) -> None:
        """Remove the indicators whose time has ended."""
        ended = [
            one
            for of_value in self._by_value.values()
            for one in of_value.values()
            if one.valid_until and one.valid_until < now
        ]
        for one in ended:
            self._remove(one)

    def match(self, event: dict[str, Any], now: datetime) -> list[IndicatorHit]:
        """Return the indicators in force that an OCSF event has; of one value the most certain one of each feed."""
        if not self._by_value:
            return []
        return [hit for observable in observables_of(event) for hit in self.match_value(observable, now)]

    def match_value(self, observable: Observable, now: datetime) -> list[IndicatorHit]:
        """Return the indicators in force that an observable is, or lies in."""
        found = self._of_value(observable.value, observable.value, now)
        if observable.kind is ObservableKind.IP and self._networks:
            address = ipaddress.ip_address(observable.value)
            number, version = int(address), address.version
            for (network_version, bits), prefixes in self._networks.items():
                network = prefixes.get(number >> bits) if network_version == version else None
                if network is not None:
                    found += self._of_value(network, observable.value, now)
        return found

    def _of_value(self, value: str, observed: str, now: datetime) -> list[IndicatorHit]:
        best: dict[str, KeptIndicator] = {}
        for one in self._by_value.get(value, {}).values():
            in_force = one.valid_from <= now and (one.valid_until is None or now < one.valid_until)
            if in_force and (one.feed not in best or one.confidence > best[one.feed].confidence):
                best[one.feed] = one
        return [
            IndicatorHit(one.indicator_id, one.kind, value, observed, one.feed, one.title, one.confidence, one.tlp)
            for one in best.values()
        ]

    def _remove(self, one: KeptIndicator) -> None:
        of_value = self._by_value.get(one.value, {})
        of_value.pop(one.indicator_id, None)
        if of_value:
            return
        self._by_value.pop(one.value, None)
        if one.kind is ObservableKind.NETWORK:
            version, bits, prefix = _prefix(one.value)
            self._networks.get((version, bits), {}).pop(prefix, None)


def _prefix(text: str) -> tuple[int, int, int]:
    """Return version, free bits and prefix of a network."""
    network = ipaddress.ip_network(text)
    bits = network.max_prefixlen - network.prefixlen
    return network.version, bits, int(network.network_address) >> bits
