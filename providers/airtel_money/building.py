"""One country's adapter from the environment: `CAPP_AIRTEL_<CC>_*`. It never shows a value."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Any, TypeVar

import msgspec

from engine.clock import Clock
from engine.ports import OperatorFacts
from providers.airtel_money.adapter import AirtelMoney
from providers.airtel_money.markets import Market
from providers.airtel_money.sealing import Padding
from providers.airtel_money.settings import AirtelMoneySettings, CallbackHash, RefundBy
from providers.environment import Environment
from providers.http import Trace

Choice = TypeVar("Choice", bound=StrEnum)


def build_airtel(
    market: Market, variables: Mapping[str, str], clock: Clock, trace: Trace
) -> AirtelMoney:
    """Raises MissingSettings, and ValueError for what is senseless."""
    prefix = f"CAPP_{market.facts.name.upper()}_"
    env = Environment(variables, prefix, "BASE_URL", "CLIENT_ID", "CLIENT_SECRET", "PIN")
    settings = AirtelMoneySettings(
        base_url=env.text("BASE_URL"),
        client_id=env.text("CLIENT_ID"),
        client_secret=env.text("CLIENT_SECRET"),
        pin=env.text("PIN"),
        **_versions(env, signs=market.signs),
        **_open_questions(env, prefix),
        **env.given("PIN_FIELD", "WALLET_TYPE", "ENCRYPTION_KEY", "PIN_KEY", "CALLBACK_KEY"),
        **env.given("CURRENCY_WORD"),
        **env.line(),
    )
    changed = market._replace(facts=_facts(env, market.facts))
    return AirtelMoney(changed, settings, clock=clock, trace=trace)


def _versions(env: Environment, *, signs: bool) -> dict[str, Any]:
    usual = 2 if signs else 1
    payout = env.whole("DISBURSEMENT_VERSION", default=usual)
    return {
        "collection_version": env.whole("COLLECTION_VERSION", default=usual),
        "disbursement_version": payout,
        # That a used id is refused the texts say of the first two; of the third there are none.
        "repeats_payouts": env.whole("REPEATS_PAYOUTS", default=0 if payout == 3 else 1) > 0,
        "signs_disbursements": env.whole("SIGNS_DISBURSEMENTS", default=1) > 0,
        "enquiry_version": env.whole("ENQUIRY_VERSION", default=1),
        "balance_version": env.whole("BALANCE_VERSION", default=1),
    }


def _open_questions(env: Environment, prefix: str) -> dict[str, Any]:
    def choose(name: str, usual: Choice) -> Choice:
        text = env.text(name) or usual.value
        kind = type(usual)
        if text not in {each.value for each in kind}:
            raise ValueError(f"{prefix}{name} must be one of {', '.join(kind)}")
        return kind(text)

    return {
        "refund_by": choose("REFUND_BY", RefundBy.DISBURSEMENT),
        "pin_padding": choose("PIN_PADDING", Padding.PKCS1V15),
        "callback_hash": choose("CALLBACK_HASH", CallbackHash.EITHER),
        "keeps_zero": env.whole("KEEPS_ZERO", default=1) > 0,
    }


def _facts(env: Environment, facts: OperatorFacts) -> OperatorFacts:
    """Units, limits and how far a callback is believed: nothing of it is published."""
    unit_minor = env.whole("UNIT_MINOR", default=facts.unit_minor)
    if unit_minor < 1:
        raise ValueError(f"CAPP_{facts.name.upper()}_UNIT_MINOR must be above zero")
    return msgspec.structs.replace(
        facts,
        unit_minor=unit_minor,
        collect_minor_min=env.whole("COLLECT_MINOR_MIN", default=unit_minor),
        collect_minor_max=env.whole("COLLECT_MINOR_MAX", default=facts.collect_minor_max),
        disburse_minor_min=env.whole("DISBURSE_MINOR_MIN", default=unit_minor),
        disburse_minor_max=env.whole("DISBURSE_MINOR_MAX", default=facts.disburse_minor_max),
        confirm_callback_above_minor=env.whole(
            "CONFIRM_ABOVE_MINOR", default=facts.confirm_callback_above_minor
        ),
    )
