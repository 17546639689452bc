"""Each test begins without the attempts of others."""

from tests.identity.access.stays.conftest import no_attempts as no_attempts
