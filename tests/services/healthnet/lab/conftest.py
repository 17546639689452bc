"""Networks of namespaces; without them these tests are skipped, saying what is missing."""

import pytest

from tests.support.network_lab import missing_for_lab


@pytest.fixture(scope="session")
def firewalls():
    """Namespaces and nftables are there."""
    if missing := missing_for_lab("nft"):
        pytest.skip(f"no network of namespaces: {missing}")


@pytest.fixture(scope="session")
def tunnels():
    """Namespaces, nftables, htb and WireGuard are there."""
    if missing := missing_for_lab("nft", "tc", "wg", "wireguard-go", "nsenter"):
        pytest.skip(f"no network of namespaces: {missing}")
