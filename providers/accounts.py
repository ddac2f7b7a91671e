"""Whether each SMS gateway knows us, asked without sending anything: for `capp doctor`.

It refuses to tell more of an account than how it stands.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping

from providers import africastalking, twilio
from providers.http import no_trace
from providers.registry import africastalking_sms, sms_balance_by_sdk, twilio_sms

AskAccount = Callable[[Mapping[str, str]], Awaitable[str]]
"""From the environment to a sentence. Raises MissingSettings, ValueError, ProviderError."""


async def africastalking_account(variables: Mapping[str, str]) -> str:
    """The balance, by our own adapter and by their SDK: two readings of one key."""
    gateway = africastalking_sms(variables)
    try:
        ours = await gateway.fetch_balance()
    finally:
        await gateway.aclose()
    theirs = await asyncio.to_thread(sms_balance_by_sdk, variables)
    return f"credentials accepted; balance {ours}, by the gateway's own SDK {theirs}"


async def twilio_account(variables: Mapping[str, str]) -> str:
    """How the account stands; one that is not active sends nothing, and is a fault."""
    gateway = twilio_sms(variables, "", no_trace)
    try:
        status = await gateway.fetch_status()
    finally:
        await gateway.aclose()
    if status != "active":
        raise ValueError(f"the account is {status}")
    return "credentials accepted; the account is active"


SMS_ACCOUNTS: dict[str, AskAccount] = {
    africastalking.NAME: africastalking_account,
    twilio.NAME: twilio_account,
}
