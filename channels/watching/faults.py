"""Faults of ours, told to a Sentry by setting: the trace and ids, nothing of anybody's.

The package is an extra (`capp[watching]`); what it would send is looked at here once more. Local
variables, request bodies and addresses never leave: they may hold a PIN.
"""

import logging
from typing import Any

from channels.settings import BadSettings
from channels.watching.redaction import redacted
from engine.correlation import spoken_of

log = logging.getLogger(__name__)

_NEVER = ("request", "user", "extra", "server_name", "modules")


def tell_faults(dsn: str, *, environment: str = "", transport: Any = None) -> None:
    """From now on lines of level `error` and unhandled exceptions are sent. Once per process.

    Raises BadSettings when the package is not installed, or the address is none.
    """
    try:
        import sentry_sdk
        from sentry_sdk.utils import BadDsn
    except ImportError as error:
        raise BadSettings("CAPP_SENTRY_DSN needs the package: install capp[watching]") from error
    try:
        sentry_sdk.init(
            dsn=dsn, environment=environment or None, transport=transport,
            include_local_variables=False, max_request_body_size="never",
            auto_enabling_integrations=False, traces_sample_rate=0.0, before_send=without_people,
            max_breadcrumbs=0,
        )  # fmt: skip
    except BadDsn as error:
        raise BadSettings("CAPP_SENTRY_DSN is no address of a Sentry project") from error


def without_people(event: Any, hint: Any = None) -> Any:
    """The event as it may leave: every text redacted, what may hold a request left out."""
    del hint
    kept = {name: value for name, value in event.items() if name not in _NEVER}
    clean: dict[str, Any] = _clean(kept)
    clean["tags"] = {**clean.get("tags", {}), **spoken_of()}
    return clean


def _clean(value: Any) -> Any:
    if isinstance(value, str):
        return redacted(value)
    if isinstance(value, dict):
        return {name: _clean(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_clean(inner) for inner in value]
    return value
