"""MTN MoMo from the environment: the adapter of a market, and credentials in its sandbox.

It refuses to know what is done with the settings, and it never shows a value.
"""

from collections.abc import Mapping
from typing import NamedTuple

import msgspec

from engine.clock import Clock
from engine.money import Money
from providers.environment import Environment
from providers.http import Trace
from providers.mtn_momo.adapter import MtnMomo
from providers.mtn_momo.markets import Market, facts_in
from providers.mtn_momo.payouts import Payout, check_fields
from providers.mtn_momo.product import MtnMomoSettings
from providers.mtn_momo.provisioning import Provisioning


def build_mtn(market: Market, variables: Mapping[str, str], clock: Clock, trace: Trace) -> MtnMomo:
    """MTN in one country from `CAPP_MTN_<CC>_*`.

    Target environment and limits are settings, because nobody could check them at a live wallet;
    so is the currency, because Liberia has two. Limits that are not set are those of the currency.
    """
    facts = market.facts
    env = Environment(
        variables,
        f"CAPP_{facts.name.upper()}_",
        "BASE_URL",
        "API_USER",
        "API_KEY",
        "COLLECTION_KEY",
        "DISBURSEMENT_KEY",
    )
    payout, *before = _read_payouts(env)
    if any(each.is_remittance for each in (payout, *before)):
        env = Environment(variables, f"CAPP_{facts.name.upper()}_", "REMITTANCE_KEY")
    settings = MtnMomoSettings(
        base_url=env.text("BASE_URL"),
        target_environment=env.text("TARGET_ENVIRONMENT") or market.target_environment,
        api_user=env.text("API_USER"),
        api_key=env.text("API_KEY"),
        collection_key=env.text("COLLECTION_KEY"),
        disbursement_key=env.text("DISBURSEMENT_KEY"),
        remittance_key=env.text("REMITTANCE_KEY"),
        payout=payout,
        payouts_before=tuple(before),
        sender_fields=_read_sender_fields(env, facts.name),
        notifies=env.whole("NOTIFIES", default=0) > 0,
        calls_back=env.whole("CALLBACKS", default=1) > 0,
        only_preapproved=env.whole("ONLY_PREAPPROVED", default=0) > 0,
        **env.line(),
    )
    facts = facts_in(facts, Money(0, env.currency("CURRENCY", default=facts.currency)).currency)
    facts = msgspec.structs.replace(
        facts,
        collect_minor_max=env.whole("COLLECT_MINOR_MAX", default=facts.collect_minor_max),
        disburse_minor_max=env.whole("DISBURSE_MINOR_MAX", default=facts.disburse_minor_max),
        confirm_callback_above_minor=env.whole(
            "CONFIRM_ABOVE_MINOR", default=facts.confirm_callback_above_minor
        ),
    )
    return MtnMomo(facts, settings, clock=clock, trace=trace)


class Provisioned(NamedTuple):
    """Credentials that an operator has just made for us, by the names of their variables."""

    variables: dict[str, str]
    target_environment: str

    def __repr__(self) -> str:
        return f"Provisioned({', '.join(self.variables)})"


async def provision_mtn(
    market: Market,
    variables: Mapping[str, str],
    *,
    user: str,
    callback_host: str,
) -> Provisioned:
    """An API user of ours in its sandbox, by the key in `CAPP_MTN_<CC>_COLLECTION_KEY`.

    As `providers.registry.provision`.
    """
    prefix = f"CAPP_{market.facts.name.upper()}_"
    env = Environment(variables, prefix, "BASE_URL", "COLLECTION_KEY")
    provisioning = Provisioning(
        market.facts.name,
        env.text("BASE_URL"),
        subscription_key=env.text("COLLECTION_KEY"),
    )
    try:
        made = await provisioning.make(user, callback_host=callback_host)
    finally:
        await provisioning.aclose()
    found = {f"{prefix}API_USER": made.api_user, f"{prefix}API_KEY": made.api_key}
    return Provisioned(found, made.target_environment)


def _read_sender_fields(env: Environment, name: str) -> tuple[str, ...]:
    """`SENDER_FIELDS`: what a market demands in a cash transfer. Raises ValueError."""
    demanded = tuple(env.text("SENDER_FIELDS").replace(",", " ").split())
    try:
        check_fields(demanded)
    except ValueError as error:
        raise ValueError(f"CAPP_{name.upper()}_SENDER_FIELDS: {error}") from None
    return demanded


def _read_payouts(env: Environment) -> list[Payout]:
    """`PAYOUT_PRODUCT`, and behind it those of `PAYOUT_BEFORE`. Raises ValueError."""
    words = [env.text("PAYOUT_PRODUCT") or Payout.TRANSFER]
    words += env.text("PAYOUT_BEFORE").replace(",", " ").split()
    try:
        return [Payout(each.lower()) for each in words]
    except ValueError as error:
        known = ", ".join(Payout)
        raise ValueError(f"a product that pays out is one of {known}: {error}") from None
