"""The gateway's own SDK, for one purpose: a second, independent opinion on the account.

It is synchronous, keeps one account per process and opens a connection per call, so nothing that
serves customers goes through it (reference: `africas-talking.md`, section 8, version 2.0.3).
"""

import requests
from africastalking.Application import ApplicationService
from africastalking.Service import AfricasTalkingException

from engine.errors import Rejected, Unreachable, Unreadable
from providers.africastalking import NAME, AfricasTalkingSettings


def fetch_balance_by_sdk(settings: AfricasTalkingSettings) -> str:
    """The account's balance as the gateway writes it, `KES 1785.50`. Blocks; safe to repeat.

    Raises Rejected when the credentials are refused, Unreachable, or Unreadable.
    """
    service = ApplicationService(settings.username, settings.api_key)
    # The SDK has no option for another address; this attribute is what its calls are made from.
    service._baseUrl = settings.base_url.rstrip("/") + "/version1"
    try:
        answer = service.fetch_application_data()
    except requests.RequestException as error:
        raise Unreachable(NAME, type(error).__name__) from error
    except AfricasTalkingException as error:
        detail = "the SDK's call was refused"
        raise Rejected(NAME, detail, code="sdk", reason="configuration") from error
    told = answer if isinstance(answer, dict) else {}
    user = told.get("UserData") or told.get("userData") or {}
    if "balance" not in user:
        raise Unreadable(NAME, "no balance in the SDK's answer")
    return str(user["balance"])
