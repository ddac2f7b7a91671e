"""What both processes of an installation do before they start; it knows neither (`serving.py`,
`working.py`).
"""

import gc
import logging
from collections.abc import Mapping, Sequence

from channels.production import refuse_insecure
from channels.settings import BadSettings, Settings
from channels.tenants import Tenant, read_tenants
from channels.watching.faults import tell_faults

log = logging.getLogger(__name__)


def tell_faults_of(settings: Settings) -> None:
    """Faults go where the settings send them; nowhere by default."""
    watching = settings.watching
    if watching.sentry_dsn:
        tell_faults(watching.sentry_dsn, environment=watching.environment_name)


def tune_collector() -> None:
    """What lives as long as the process is not walked again; thousands of live plans seldom are.

    Measured in the commit's bench: about a quarter of the Python time of a payment.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(100_000, 20, 20)


def sound_ones(environment: Mapping[str, str]) -> Sequence[Tenant]:
    """Those that can be served; the others are told. In production all are, or nobody is.

    Raises BadSettings.
    """
    tenants = read_tenants(environment)
    for name, what in tenants.faults.items():
        log.error("%s is not served: %s", name, what)
    for tenant in tenants.sound:
        try:
            refuse_insecure(tenant.settings)
        except BadSettings as error:
            raise BadSettings(f"{tenant.name}: {error}") from error
    return tenants.sound
