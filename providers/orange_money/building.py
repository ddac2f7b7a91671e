"""One country's adapter from the environment: `CAPP_ORANGE_<CC>_*`. It never shows a value."""

from collections.abc import Callable, Mapping

from engine.clock import Clock
from engine.ports import OperatorPort
from providers.environment import Environment
from providers.http import Trace
from providers.orange_money.b2b import B2b, B2bSettings
from providers.orange_money.core import Core, CoreSettings
from providers.orange_money.markets import Api, Market
from providers.orange_money.wallet import EWallet, EWalletSettings
from providers.orange_money.web_payment import (
    CLOSE_AFTER_SECONDS,
    WebPayment,
    WebPaymentSettings,
)

_APP = ("BASE_URL", "CLIENT_ID", "CLIENT_SECRET")
NO_SERVICE = "none"
Build = Callable[[Market, Mapping[str, str], Clock, Trace], OperatorPort]


def build_orange(
    market: Market, variables: Mapping[str, str], clock: Clock, trace: Trace
) -> OperatorPort:
    """Raises MissingSettings, and ValueError for what is senseless.

    `CAPP_ORANGE_<CC>_API` names another API than the country's usual one: which it offers is a
    matter of contract (section 6).
    """
    chosen = variables.get(f"{_prefix(market)}API", "").strip() or market.api.value
    if chosen not in {api.value for api in Api}:
        raise ValueError(f"{_prefix(market)}API must be one of {', '.join(Api)}")
    return _BUILDERS[Api(chosen)](market._replace(api=Api(chosen)), variables, clock, trace)


def _web_payment(
    market: Market, variables: Mapping[str, str], clock: Clock, trace: Trace
) -> OperatorPort:
    env = Environment(
        variables, _prefix(market), *_APP, "MERCHANT_KEY", "MERCHANT_NAME", "RETURN_URL"
    )
    settings = WebPaymentSettings(
        base_url=env.text("BASE_URL"),
        client_id=env.text("CLIENT_ID"),
        client_secret=env.text("CLIENT_SECRET"),
        merchant_key=env.text("MERCHANT_KEY"),
        country=env.text("COUNTRY") or market.country.lower(),
        currency=env.currency("CURRENCY_WORD", default=market.currency),
        merchant_name=env.text("MERCHANT_NAME"),
        return_url=env.text("RETURN_URL"),
        by_link=env.whole("BY_LINK", default=0) > 0,
        close_after_seconds=env.whole("CLOSE_AFTER_SECONDS", default=CLOSE_AFTER_SECONDS),
        **env.given("LANGUAGE"),
        **env.line(),
    )
    return WebPayment(market, settings, clock=clock, trace=trace)


def _b2b(market: Market, variables: Mapping[str, str], clock: Clock, trace: Trace) -> OperatorPort:
    env = Environment(variables, _prefix(market), *_APP, "POS_ID")
    cashin = env.text("CASHIN_SERVICE") or "cashin"
    settings = B2bSettings(
        base_url=env.text("BASE_URL"),
        client_id=env.text("CLIENT_ID"),
        client_secret=env.text("CLIENT_SECRET"),
        pos_id=env.text("POS_ID"),
        country=env.text("COUNTRY") or market.country.lower(),
        currency=env.currency("CURRENCY", default=market.currency),
        cashin_service="" if cashin == NO_SERVICE else cashin,
        confirm_above_minor=env.whole("CONFIRM_ABOVE_MINOR", default=0),
        **env.given("CASHOUT_SERVICE", "CALLBACK_AUTHORIZATION"),
        **env.line(),
    )
    return B2b(market, settings, clock=clock, trace=trace)


def _core(market: Market, variables: Mapping[str, str], clock: Clock, trace: Trace) -> OperatorPort:
    env = Environment(
        variables,
        _prefix(market),
        "BASE_URL",
        "CONSUMER_KEY",
        "CONSUMER_SECRET",
        "API_USER",
        "API_PASSWORD",
        "CHANNEL_MSISDN",
        "PIN",
    )
    settings = CoreSettings(
        base_url=env.text("BASE_URL"),
        consumer_key=env.text("CONSUMER_KEY"),
        consumer_secret=env.text("CONSUMER_SECRET"),
        api_user=env.text("API_USER"),
        api_password=env.text("API_PASSWORD"),
        channel_msisdn=env.text("CHANNEL_MSISDN"),
        pin=env.text("PIN"),
        confirm_above_minor=env.whole("CONFIRM_ABOVE_MINOR", default=0),
        **env.given("CA_FILE"),
        **env.line(),
    )
    return Core(market, settings, clock=clock, trace=trace)


def _wallet(
    market: Market, variables: Mapping[str, str], clock: Clock, trace: Trace
) -> OperatorPort:
    env = Environment(
        variables, _prefix(market), *_APP, "MERCHANT_CODE", "MERCHANT_NAME", "AGENT_MSISDN", "PIN"
    )
    refused = env.text("REFUSED_CODES").split(",")
    settings = EWalletSettings(
        base_url=env.text("BASE_URL"),
        client_id=env.text("CLIENT_ID"),
        client_secret=env.text("CLIENT_SECRET"),
        merchant_code=env.text("MERCHANT_CODE"),
        merchant_name=env.text("MERCHANT_NAME"),
        agent_msisdn=env.text("AGENT_MSISDN"),
        pin=env.text("PIN"),
        refused_codes=frozenset(code.strip() for code in refused if code.strip()),
        by_link=env.whole("BY_LINK", default=0) > 0,
        link_seconds=env.whole("LINK_SECONDS", default=600),
        confirm_above_minor=env.whole("CONFIRM_ABOVE_MINOR", default=0),
        **env.given("RETURN_URL", "TOKEN_PATH", "API_KEY", "SIGNING_SECRET"),
        **env.line(),
    )
    return EWallet(market, settings, clock=clock, trace=trace)


_BUILDERS: dict[Api, Build] = {
    Api.WEB_PAYMENT: _web_payment,
    Api.B2B: _b2b,
    Api.CORE: _core,
    Api.WALLET: _wallet,
}


def _prefix(market: Market) -> str:
    return f"CAPP_{market.name.upper()}_"
