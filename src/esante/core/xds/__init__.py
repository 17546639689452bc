"""Messages of document registries and repositories: ebXML as the XDS profiles of IHE use it (ITI TF-3, 4.2)."""

from esante.core.xds.response import RIM, RS, XDSB, RegistryError, registry_response

__all__ = ["RIM", "RS", "XDSB", "RegistryError", "registry_response"]
