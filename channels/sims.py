"""Who tells when the SIM behind a payer's number was changed: operators, or a service for them."""

from collections.abc import Mapping

from channels.settings import Settings
from engine.clock import Clock
from engine.payments.sims import Sims
from engine.ports import OperatorPort, SimPort
from providers.camara import Camara, build_camara
from providers.http import Trace


def build_sims(
    settings: Settings, operators: Mapping[str, OperatorPort], clock: Clock, trace: Trace
) -> Sims | None:
    """Who asks, and closes the service; None where nobody tells.

    Raises MissingSettings and SenselessSettings, as `build_camara` does.
    """
    service = build_camara(settings.environment, clock, trace)
    tellers = tellers_of(operators, service)
    if not tellers:
        return None
    closes = (service.aclose,) if service is not None else ()
    return Sims(tellers, clock, seconds=settings.sim_swap_ms / 1000, closes=closes)


def tellers_of(operators: Mapping[str, OperatorPort], service: Camara | None) -> dict[str, SimPort]:
    """Operator -> who tells about its numbers. An operator knows its own better than a service."""
    served: dict[str, SimPort] = dict.fromkeys(service.operators, service) if service else {}
    own = {n: p for n, p in operators.items() if isinstance(p, SimPort) and p.tells_sims}
    return {**served, **own}
