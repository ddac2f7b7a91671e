"""Name -> adapter: the one list of the companies we call, and how the environment names them.

It refuses to know what an adapter does with its settings, and it never shows a value.
"""

from collections.abc import Callable, Collection, Iterable, Mapping
from functools import partial
from typing import NamedTuple, TypeVar

import msgspec

from engine.clock import Clock
from engine.ports import OperatorPort, RateSource, SmsPort, UssdPort
from providers import (
    africastalking,
    arkesel,
    floatrates,
    hubtel,
    mtn_ussd,
    nalo,
    openexchangerates,
    twilio,
    zamtel,
)
from providers.africastalking import (
    AfricasTalkingSettings,
    AfricasTalkingSms,
    AfricasTalkingUssd,
)
from providers.airtel_money import MARKETS as AIRTEL
from providers.airtel_money import build_airtel
from providers.arkesel import ArkeselUssd
from providers.dialling import may_be_dialled
from providers.environment import Environment, MissingSettings, SenselessSettings
from providers.floatrates import FloatRates, FloatRatesSettings
from providers.http import Trace, no_trace
from providers.hubtel import HubtelUssd
from providers.mpesa import Mpesa, MpesaSettings
from providers.mpesa.settings import CONFIRM_ABOVE_MINOR
from providers.mtn_momo import MARKETS
from providers.mtn_momo.building import Provisioned, build_mtn, provision_mtn
from providers.mtn_ussd import MtnUssd
from providers.nalo import NaloUssd
from providers.openexchangerates import OpenExchangeRates, OpenExchangeRatesSettings
from providers.orange_money import MARKETS as ORANGE
from providers.orange_money import build_orange
from providers.twilio import TwilioSettings, TwilioSms
from providers.zamtel import Zamtel, ZamtelSettings

T = TypeVar("T")


def mpesa_ke(variables: Mapping[str, str], clock: Clock, trace: Trace) -> OperatorPort:
    """M-PESA in Kenya from `CAPP_MPESA_KE_*`."""
    env = Environment(
        variables,
        "CAPP_MPESA_KE_",
        "BASE_URL",
        "CONSUMER_KEY",
        "CONSUMER_SECRET",
        "SHORTCODE",
        "PASSKEY",
        "B2C_SHORTCODE",
        "INITIATOR",
        "INITIATOR_PASSWORD",
        "CERTIFICATE",
    )
    settings = MpesaSettings(
        base_url=env.text("BASE_URL"),
        consumer_key=env.text("CONSUMER_KEY"),
        consumer_secret=env.text("CONSUMER_SECRET"),
        shortcode=env.text("SHORTCODE"),
        passkey=env.text("PASSKEY"),
        b2c_shortcode=env.text("B2C_SHORTCODE"),
        initiator=env.text("INITIATOR"),
        initiator_password=env.text("INITIATOR_PASSWORD"),
        certificate_pem=env.pem("CERTIFICATE"),
        confirm_above_minor=env.whole("CONFIRM_ABOVE_MINOR", default=CONFIRM_ABOVE_MINOR),
        sim_swap=env.whole("SIM_SWAP", default=0) > 0,
        **env.given("TILL", "PAYOUT_VERSION", "REFUND_BY", "PAY_IN_VERSION", "PAY_IN_UNANSWERED"),
        **env.line(),
    )
    return Mpesa(settings, clock=clock, trace=trace)


def zamtel_zm(variables: Mapping[str, str], clock: Clock, trace: Trace) -> OperatorPort:
    """Zamtel in Zambia from `CAPP_ZAMTEL_ZM_*`. It wants no clock: it has no tokens."""
    del clock
    env = Environment(
        variables,
        "CAPP_ZAMTEL_ZM_",
        "BASE_URL",
        "THIRD_PARTY_ID",
        "PASSWORD",
        "SHORTCODE",
        "INITIATOR",
        "INITIATOR_PASSWORD",
    )
    settings = ZamtelSettings(
        base_url=env.text("BASE_URL"),
        third_party_id=env.text("THIRD_PARTY_ID"),
        password=env.text("PASSWORD"),
        shortcode=env.text("SHORTCODE"),
        initiator=env.text("INITIATOR"),
        initiator_password=env.text("INITIATOR_PASSWORD"),
        payout_shortcode=env.text("PAYOUT_SHORTCODE"),
        sends_reference=env.whole("SENDS_REFERENCE", default=0) > 0,
        **env.line(usual=zamtel.PATIENT),
        **env.given(
            "COLLECT_PATH", "PAYOUT_PATH", "INITIATOR_PARAMETER", "INITIATOR_PASSWORD_PARAMETER"
        ),
    )
    return Zamtel(settings, trace=trace)


def open_exchange_rates(variables: Mapping[str, str], trace: Trace) -> RateSource:
    """Open Exchange Rates from `CAPP_OPENEXCHANGERATES_*`."""
    env = Environment(variables, "CAPP_OPENEXCHANGERATES_", "BASE_URL", "APP_ID")
    settings = OpenExchangeRatesSettings(
        base_url=env.text("BASE_URL"),
        app_id=env.text("APP_ID"),
        base=env.currency("BASE", default=openexchangerates.BASE),
        stale_after_seconds=env.whole(
            "STALE_SECONDS", default=openexchangerates.STALE_AFTER_SECONDS
        ),
    )
    return OpenExchangeRates(settings, trace=trace)


def float_rates(variables: Mapping[str, str], trace: Trace) -> RateSource:
    """FloatRates from `CAPP_FLOATRATES_*`; it wants no key."""
    env = Environment(variables, "CAPP_FLOATRATES_", "BASE_URL")
    settings = FloatRatesSettings(
        base_url=env.text("BASE_URL"),
        base=env.currency("BASE", default=floatrates.BASE),
        stale_after_seconds=env.whole("STALE_SECONDS", default=floatrates.STALE_AFTER_SECONDS),
    )
    return FloatRates(settings, trace=trace)


def africastalking_sms(
    variables: Mapping[str, str], *, trace: Trace = no_trace
) -> AfricasTalkingSms:
    """Africa's Talking from `CAPP_AFRICASTALKING_*`; its own type, for who asks for the balance."""
    return AfricasTalkingSms(_africastalking(variables), trace=trace)


def sms_balance_by_sdk(variables: Mapping[str, str]) -> str:
    """The account's balance as the gateway's own SDK reads it. Blocks. Raises ProviderError."""
    from providers.africastalking_sdk import fetch_balance_by_sdk  # slow, and `doctor`'s alone

    return fetch_balance_by_sdk(_africastalking(variables))


def _africastalking(variables: Mapping[str, str]) -> AfricasTalkingSettings:
    env = Environment(variables, "CAPP_AFRICASTALKING_", "BASE_URL", "USERNAME", "API_KEY")
    return AfricasTalkingSettings(
        base_url=env.text("BASE_URL"),
        username=env.text("USERNAME"),
        api_key=env.text("API_KEY"),
        sender=env.text("SENDER"),
    )


def twilio_sms(variables: Mapping[str, str], report_url: str, trace: Trace) -> TwilioSms:
    """Twilio from `CAPP_TWILIO_*`. Raises MissingSettings, ValueError."""
    env = Environment(variables, "CAPP_TWILIO_", "BASE_URL", "ACCOUNT_SID", "AUTH_TOKEN", "SENDER")
    settings = TwilioSettings(
        base_url=env.text("BASE_URL"),
        account_sid=env.text("ACCOUNT_SID"),
        auth_token=env.text("AUTH_TOKEN"),
        sender=env.text("SENDER"),
        report_url=report_url,
    )
    return TwilioSms(settings, trace=trace)


BuildOperator = Callable[[Mapping[str, str], Clock, Trace], OperatorPort]
BuildUssd = Callable[[Collection[str]], UssdPort]
"""From the codes we are dialled by; a gateway calls us, so there are no credentials of its own."""

BuildSms = Callable[[Mapping[str, str], str, Trace], SmsPort]
"""From the environment and our own address for its delivery reports."""

OPERATORS: dict[str, BuildOperator] = {
    "mpesa_ke": mpesa_ke,
    **{name: partial(build_mtn, market) for name, market in MARKETS.items()},
    **{market.facts.name: partial(build_airtel, market) for market in AIRTEL.values()},
    **{name: partial(build_orange, market) for name, market in ORANGE.items()},
    zamtel.NAME: zamtel_zm,
}
PROVISIONED = frozenset(MARKETS)
"""Operators that make our credentials by a call, in their sandbox."""
USSD: dict[str, BuildUssd] = {
    africastalking.NAME: lambda _: AfricasTalkingUssd(),
    hubtel.NAME: lambda _: HubtelUssd(),
    nalo.NAME: NaloUssd,
    arkesel.NAME: ArkeselUssd,
    mtn_ussd.NAME: lambda _: MtnUssd(),
}
_SPLIT = frozenset({nalo.NAME, arkesel.NAME})
"""Those that tell all that was dialled, in which our code is found also without star and hash."""
SMS: dict[str, BuildSms] = {
    africastalking.NAME: lambda variables, _, trace: africastalking_sms(variables, trace=trace),
    twilio.NAME: twilio_sms,
}
RATES: dict[str, Callable[[Mapping[str, str], Trace], RateSource]] = {
    "openexchangerates": open_exchange_rates,
    "floatrates": float_rates,
}


class _Named(NamedTuple):
    """Companies of one kind, and the variable in which some of them are named."""

    variable: str
    kind: str
    known: Collection[str]

    def must_know(self, name: str) -> None:
        """Raises SenselessSettings."""
        if name not in self.known:
            raise SenselessSettings(
                f"{self.variable}: no such {self.kind}: {name!r}; known: {', '.join(self.known)}"
            )


_OPERATORS = _Named("CAPP_OPERATORS", "operator", OPERATORS)
_USSD = _Named("CAPP_USSD_GATEWAYS", "gateway", USSD)
_SMS = _Named("CAPP_SMS_GATEWAYS", "SMS gateway", SMS)
_RATES = _Named("CAPP_RATE_SOURCES", "rate source", RATES)


def build_operators(
    variables: Mapping[str, str],
    *,
    clock: Clock,
    trace: Trace = no_trace,
    names: Iterable[str],
) -> dict[str, OperatorPort]:
    """An adapter for every name.

    Raises MissingSettings with the variables that all of them lack, and SenselessSettings for a
    name nobody knows or a value that is senseless.
    """
    built = _built(_OPERATORS, names, lambda name: OPERATORS[name](variables, clock, trace))
    for name, port in built.items():
        env = Environment(variables, f"CAPP_{name.upper()}_")
        _set_reaches(port, env)
        _set_webhook(port, env)
    return built


async def provision(
    name: str, variables: Mapping[str, str], *, user: str, callback_host: str
) -> Provisioned:
    """Credentials of our own at the sandbox of one of `PROVISIONED`; `user` is a UUID of ours.

    Repeated with the same user its key is another one. Raises MissingSettings, ValueError and any
    ProviderError.
    """
    return await provision_mtn(MARKETS[name], variables, user=user, callback_host=callback_host)


def _set_reaches(port: OperatorPort, env: Environment) -> None:
    """Whose wallets an operator also pays into is a matter of our contract with it."""
    names = env.names("REACHES")
    if names:
        port.facts = msgspec.structs.replace(port.facts, reaches=names)


def _set_webhook(port: OperatorPort, env: Environment) -> None:
    """What an operator is called in the addresses it is given is ours to choose."""
    if word := env.path_word("WEBHOOK"):
        port.facts = msgspec.structs.replace(port.facts, webhooks=(word, *port.facts.webhooks))


def build_rate_sources(
    variables: Mapping[str, str], *, names: Iterable[str], trace: Trace = no_trace
) -> list[RateSource]:
    """An adapter for every name, each name once. Raises as `build_operators` does."""
    built = _built(_RATES, names, lambda name: RATES[name](variables, trace))
    return [*built.values()]


def build_ussd(names: Iterable[str], *, shortcodes: Collection[str]) -> list[UssdPort]:
    """An adapter for every name, each name once.

    Raises SenselessSettings for an unknown one, and for a shortcode that none of them ever tells.
    """
    built = _built(_USSD, names, lambda name: USSD[name](shortcodes))
    for code in sorted(shortcodes):
        if not any(may_be_dialled(code, is_split=name in _SPLIT) for name in built):
            raise SenselessSettings(f"CAPP_SHORTCODES: nobody dials {code!r}; write *384*96#")
    return [*built.values()]


def build_sms(
    variables: Mapping[str, str],
    *,
    names: Iterable[str] = (africastalking.NAME,),
    report_url: Callable[[str], str],
    trace: Trace = no_trace,
) -> dict[str, SmsPort]:
    """An adapter for every SMS gateway, in the order of the names.

    `report_url` tells each name's address for delivery reports. Raises as `build_operators` does.
    """
    return _built(_SMS, names, lambda name: SMS[name](variables, report_url(name), trace))


def refuse_strangers(*, operators: Iterable[str], sms: Iterable[str], rates: Iterable[str]) -> None:
    """Raises SenselessSettings for a name nobody knows, for who has to know before building any."""
    for named, names in ((_OPERATORS, operators), (_SMS, sms), (_RATES, rates)):
        for name in names:
            named.must_know(name)


def _built(named: _Named, names: Iterable[str], build: Callable[[str], T]) -> dict[str, T]:
    """What `build` makes of every name, each name once.

    Raises MissingSettings with the variables that all of them lack, and SenselessSettings for a
    name nobody knows or a value that is senseless.
    """
    built: dict[str, T] = {}
    missing: list[str] = []
    for name in dict.fromkeys(names):
        named.must_know(name)
        try:
            built[name] = build(name)
        except MissingSettings as error:
            missing.extend(error.names)
        except ValueError as error:
            raise SenselessSettings(f"{error} (CAPP_{name.upper()}_*)") from error
    if missing:
        raise MissingSettings(missing)
    return built
