"""The environment, read once and typed. Secrets are never printed: their fields have no repr."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from channels.environment import KEPT_DAYS_MAX, Reader
from channels.environment import BadSettings as BadSettings
from channels.sources import Networks
from engine.ledger.chart import TENANT_MAX
from engine.row_security import ROLE, as_tenant

HOUR = 3600
DAY = 24 * HOUR
YEAR = 366 * DAY


@dataclass(frozen=True)
class RateSettings:
    """Where market rates come from, and when they are believed (`engine/fx/consensus.py`)."""

    sources: tuple[str, ...]  # live ones; the table of `capp seed` always counts as one more
    pairs: tuple[tuple[str, str], ...]  # in alphabetical order; empty: all that we pay in
    fetch_seconds: int
    table_stale_seconds: int
    sources_min: int
    outlier_bp: int  # hundredths of a percent
    jump_bp: int
    jump_sources_min: int
    staff_bp: int


@dataclass(frozen=True)
class WebhookSettings:
    """Whence operators may call us, and how much of what they say is kept for how long."""

    sources: Mapping[str, Networks]  # by operator; one that is not named may call from anywhere
    trusted_proxies: Networks  # ours: they say who called them
    strange_per_minute: int  # of one process; what anybody can send beyond is only counted
    traffic_days: int


@dataclass(frozen=True)
class HookSettings:
    """How businesses are told of their payments (`engine/hooks`)."""

    keys: Mapping[int, bytes] = field(repr=False)  # the highest version seals; none: nobody is told
    ports: frozenset[int]
    local: bool  # for development only: http and any port of 127.0.0.1 as well


@dataclass(frozen=True)
class ApiPaces:
    """How many requests may come to the API, before they are answered 429; of payments, 409."""

    address_per_minute: int = 600
    member_per_minute: int = 300  # of one member of staff, wherever they are
    unproven_per_5_minutes: int = 20  # from an address, without showing who asks
    client_address_per_minute: int = 6_000
    client_key_per_minute: int = 6_000
    client_tenant_per_minute: int = 60_000  # of all keys together
    client_payer_per_10_minutes: int = 30  # payments that one client asks one payer for


@dataclass(frozen=True)
class ReservationSettings:
    """How much liquidity a client may set aside over the API, and for how long."""

    minutes_max: int = 1440
    percent_max: int = 25  # of what a pool has free or reserved, all of one client's together


@dataclass(frozen=True)
class EdgeSettings:
    """What stands between callers and the routes (`guards.py`, `server.py`, `strangers.py`)."""

    hosts: frozenset[str]  # names the API is called by; none: any
    cors_origins: frozenset[str]  # whose pages may read it; none: no page
    certificate_file: str  # of this process's own TLS; empty: a proxy's affair
    key_file: str
    key_password: str = field(repr=False)
    keep_alive_seconds: int  # of a connection that rests after an answer
    handshake_seconds: int  # of TLS, from the opening of a connection
    answer_seconds_max: int  # of the API; then whoever asks is told that it took too long
    backlog: int  # connections that wait for us to take them
    strangers_per_minute: int  # callbacks of one address that lead nowhere, before they are 429
    dials_per_10_minutes: int  # sessions one phone may begin


@dataclass(frozen=True)
class WatchingSettings:
    """What is told of a running process, and to whom (`channels/watching`)."""

    metrics_token: str | None = field(repr=False)  # without it nobody reads counts
    worker_metrics_port: int  # of the worker's own door on 127.0.0.1; 0: none
    sentry_dsn: str = field(repr=False)  # empty: faults stay in the log
    traces: bool
    environment_name: str  # "production", "staging": what faults are told under


@dataclass(frozen=True)
class SettlementSettings:
    """Where it stands how operators are squared on a chain. Keys are in files, never in here."""

    file: str  # windows, corridors, the node and the names of our keys
    salt_file: str  # 32 bytes in hexadecimal, for its owner alone: what leaves are salted with


@dataclass(frozen=True)
class Settings:
    """What one installation decides. Units are in the names; defaults suit a demo."""

    database_url: str = field(repr=False)  # who connects by it is the tenant's role
    row_security: bool  # the database, too, keeps tenants apart
    redis_url: str = field(repr=False)
    tenant: int
    tenant_name: str  # in addresses, logs and counts; empty: the installation's only one
    shortcodes: frozenset[str]
    public_url: str
    pin_keys: Mapping[int, bytes] = field(repr=False)  # the highest version makes new MACs
    callback_keys: tuple[bytes, ...] = field(repr=False)  # the first signs, all verify
    session_keys: tuple[bytes, ...] = field(repr=False)  # the first seals, all open
    data_keys: Mapping[int, bytes] = field(repr=False)  # wrap data keys; none: nothing is sealed
    kept_days: Mapping[str, int]  # by kind, where it is not the usual (`engine/privacy/retention`)
    gateway_token: tuple[str, ...] = field(repr=False)  # the first is given out, all are heard
    gateway_tokens: Mapping[str, tuple[str, ...]] = field(repr=False)  # gateways' own, likewise
    ussd_gateways: tuple[str, ...]  # each once
    sms_gateways: tuple[str, ...]  # the preferred one first, each once
    sms_per_second: Mapping[str, int]  # of those that have a limit, for each process
    inspect_token: str | None = field(repr=False)
    staff_keys: Mapping[int, bytes] = field(repr=False)  # of tokens; none: staff have no API
    client_keys: Mapping[int, bytes] = field(repr=False)  # of API keys; none: clients have no API
    operators: tuple[str, ...]
    collect_delay_seconds: int
    quote_seconds: int
    first_look_seconds: int
    first_payout_look_seconds: int
    request_seconds: int  # how long somebody may be asked for money
    rate_stale_seconds: int
    rates: RateSettings
    pin_cool_down_seconds: int
    lease_seconds: int
    restored_at: float  # epoch seconds: what began before may have gone on in what a restore lost
    promoted_has_all: bool  # a standby that is promoted lacks no commit: they are synchronous
    screening_required: bool  # without the sanctions lists nothing is allowed
    own_menus: Path | None  # journeys and texts laid over those of `menus/`; None: the house's
    compliance_file: str | None  # figures of the house's own; else `engine/compliance/policy.yaml`
    portability_ms: int  # so long does a payment wait for a look-up of its payee's operator
    sim_swap_ms: int  # so long does a payout wait for word of its payer's SIM
    probe_quiet_seconds: int  # an operator without traffic for so long is called; 0: never
    probe_seconds: int  # between two such calls to one operator
    http_request_seconds_max: int  # until all of a request is here
    http_connections_max: int  # of one process; one more is answered 503
    webhooks: WebhookSettings
    hooks: HookSettings
    api_paces: ApiPaces
    reservations: ReservationSettings
    watching: WatchingSettings
    edges: EdgeSettings
    is_production: bool  # nothing weak or meant for a demo is served with (`production.py`)
    settlement: SettlementSettings | None  # without it operators are squared by other means
    environment: Mapping[str, str] = field(repr=False)  # for the adapters' own variables

    @property
    def shortcode(self) -> str:
        """The one that people are told to dial."""
        return min(self.shortcodes)

    def token_of(self, gateway: str) -> str:
        """The unguessable part of one gateway's addresses, as the gateway is given them."""
        return self.tokens_of(gateway)[0]

    def tokens_of(self, gateway: str) -> tuple[str, ...]:
        """The same and, while it is changed, those of the addresses that were given before."""
        return self.gateway_tokens.get(gateway, self.gateway_token)


def log_form_of(environment: Mapping[str, str]) -> Literal["text", "json"]:
    """`CAPP_LOG_FORM`, before anything else is read: faults of the rest are told in it.

    Raises BadSettings for another word.
    """
    reader = Reader(environment)
    form = reader.choice("CAPP_LOG_FORM", ("text", "json"))
    if reader.faults:
        raise BadSettings("; ".join(reader.faults))
    return "json" if form == "json" else "text"


def read_settings(environment: Mapping[str, str]) -> Settings:
    """Raises BadSettings, which names every missing or senseless variable at once."""
    reader = Reader(environment)
    rates = _read_rates(reader)
    database_url = reader.database()
    tenant = reader.number("CAPP_TENANT", 1, high=TENANT_MAX)
    row_security = reader.choice("CAPP_DATABASE_ROLE", (ROLE, "none")) == ROLE
    first_look_seconds = reader.number("CAPP_FIRST_LOOK_SECONDS", 30, low=1, high=HOUR)
    ussd_gateways = tuple(dict.fromkeys(reader.words("CAPP_USSD_GATEWAYS", "africastalking")))
    sms_gateways = tuple(dict.fromkeys(reader.words("CAPP_SMS_GATEWAYS", "africastalking")))
    settings = Settings(
        database_url=as_tenant(database_url, tenant) if row_security else database_url,
        row_security=row_security,
        redis_url=reader.redis(),
        tenant=tenant,
        tenant_name=reader.path("CAPP_TENANT_NAME"),
        shortcodes=frozenset(reader.words("CAPP_SHORTCODES", "*384*96#")),
        public_url=reader.public_address("CAPP_PUBLIC_URL"),
        pin_keys=reader.versioned_keys("CAPP_PIN_KEYS"),
        callback_keys=tuple(reader.keys("CAPP_CALLBACK_KEYS")),
        session_keys=tuple(reader.keys("CAPP_SESSION_KEY")),
        data_keys=reader.sealing_keys("CAPP_DATA_KEYS"),
        kept_days=reader.kept_days(),
        gateway_token=reader.tokens("CAPP_GATEWAY_TOKEN"),
        gateway_tokens=reader.own_tokens({*ussd_gateways, *sms_gateways}),
        ussd_gateways=ussd_gateways,
        sms_gateways=sms_gateways,
        sms_per_second=reader.paces(sms_gateways),
        inspect_token=environment.get("CAPP_INSPECT_TOKEN") or None,
        staff_keys=reader.strong_keys("CAPP_STAFF_KEYS"),
        client_keys=reader.strong_keys("CAPP_CLIENT_KEYS"),
        operators=tuple(reader.words("CAPP_OPERATORS", "mpesa_ke,mtn_ug")),
        collect_delay_seconds=reader.number("CAPP_COLLECT_DELAY_SECONDS", 3, high=HOUR),
        # Nobody types a PIN in less, and nobody promises a market's price for longer.
        quote_seconds=reader.number("CAPP_QUOTE_SECONDS", 120, low=5, high=DAY),
        first_look_seconds=first_look_seconds,
        first_payout_look_seconds=reader.number(
            "CAPP_FIRST_PAYOUT_LOOK_SECONDS", first_look_seconds, low=1, high=HOUR
        ),
        request_seconds=reader.number("CAPP_REQUEST_SECONDS", 7 * DAY, low=60, high=YEAR),
        rate_stale_seconds=_read_rate_stale(reader, rates),
        rates=rates,
        pin_cool_down_seconds=reader.number(
            "CAPP_PIN_COOL_DOWN_SECONDS", HOUR // 2, low=60, high=DAY
        ),
        lease_seconds=reader.number("CAPP_LEASE_SECONDS", 60, low=1, high=HOUR),
        restored_at=reader.moment("CAPP_RESTORED_AT"),
        promoted_has_all=reader.choice("CAPP_STANDBYS", ("asynchronous", "synchronous"))
        == "synchronous",
        screening_required=reader.choice("CAPP_SCREENING_REQUIRED", ("0", "1")) == "1",
        own_menus=reader.folder("CAPP_MENUS_FOLDER"),
        compliance_file=environment.get("CAPP_COMPLIANCE_FILE") or None,
        portability_ms=reader.number("CAPP_PORTABILITY_MS", 800, low=50, high=3000),
        sim_swap_ms=reader.number("CAPP_SIM_SWAP_MS", 1500, low=50, high=5000),
        probe_quiet_seconds=reader.number("CAPP_PROBE_QUIET_SECONDS", 300),
        probe_seconds=reader.number("CAPP_PROBE_SECONDS", 120, low=30),
        http_request_seconds_max=reader.number("CAPP_HTTP_REQUEST_SECONDS_MAX", 10, low=1),
        http_connections_max=reader.number("CAPP_HTTP_CONNECTIONS_MAX", 1000, low=1),
        webhooks=_read_webhooks(reader),
        hooks=_read_hooks(reader),
        api_paces=_read_paces(reader),
        reservations=_read_reservations(reader),
        watching=_read_watching(reader),
        edges=_read_edges(reader),
        is_production=reader.choice("CAPP_MODE", ("development", "production")) == "production",
        settlement=_read_settlement(reader),
        environment=dict(environment),
    )
    if reader.faults:
        raise BadSettings("; ".join(reader.faults))
    return settings


def _read_rates(reader: Reader) -> RateSettings:
    sources = tuple(dict.fromkeys(reader.words("CAPP_RATE_SOURCES", "")))
    return RateSettings(
        sources=sources,
        pairs=reader.pairs("CAPP_RATE_PAIRS"),
        fetch_seconds=reader.number("CAPP_RATE_FETCH_SECONDS", 900, high=DAY),
        # Beside live sources a table may count for nothing.
        table_stale_seconds=reader.number(
            "CAPP_RATE_TABLE_STALE_SECONDS", 7 * DAY, low=0 if sources else 60, high=YEAR
        ),
        # Whoever names no live source lives by the table alone.
        sources_min=reader.number(
            "CAPP_RATE_SOURCES_MIN", 2 if sources else 1, low=1, high=len(sources) + 1
        ),
        outlier_bp=reader.number("CAPP_RATE_OUTLIER_BP", 200),
        jump_bp=reader.number("CAPP_RATE_JUMP_BP", 500),
        jump_sources_min=reader.number("CAPP_RATE_JUMP_SOURCES_MIN", 2, low=1),
        staff_bp=reader.number("CAPP_RATE_STAFF_BP", 5000),
    )


def _read_rate_stale(reader: Reader, rates: RateSettings) -> int:
    """People look after a table weekly; what live sources said is worth a day."""
    usual = DAY if rates.sources else 7 * DAY
    seconds = reader.number("CAPP_RATE_STALE_SECONDS", usual, low=60, high=YEAR)
    if rates.sources and seconds <= rates.fetch_seconds:
        why = "must be more than CAPP_RATE_FETCH_SECONDS: no rate would last until the next"
        reader.wrong("CAPP_RATE_STALE_SECONDS", why)
    return seconds


def _read_webhooks(reader: Reader) -> WebhookSettings:
    operators = reader.words("CAPP_OPERATORS", "mpesa_ke,mtn_ug")
    return WebhookSettings(
        sources={n: reader.networks(f"CAPP_{n.upper()}_CALLBACK_SOURCES") for n in operators},
        trusted_proxies=reader.networks("CAPP_TRUSTED_PROXIES"),
        strange_per_minute=reader.number("CAPP_TRAFFIC_STRANGE_PER_MINUTE", 600),
        traffic_days=reader.number("CAPP_TRAFFIC_DAYS", 90, low=1, high=KEPT_DAYS_MAX),
    )


def _read_hooks(reader: Reader) -> HookSettings:
    return HookSettings(
        keys=reader.sealing_keys("CAPP_WEBHOOK_KEYS"),
        ports=reader.ports("CAPP_WEBHOOK_PORTS", "443,8443"),
        local=reader.choice("CAPP_WEBHOOK_LOCAL", ("0", "1")) == "1",
    )


def _read_paces(reader: Reader) -> ApiPaces:
    usual = ApiPaces()
    return ApiPaces(
        reader.number("CAPP_API_ADDRESS_PER_MINUTE", usual.address_per_minute, low=1),
        reader.number("CAPP_API_MEMBER_PER_MINUTE", usual.member_per_minute, low=1),
        reader.number("CAPP_API_UNPROVEN_PER_5_MINUTES", usual.unproven_per_5_minutes, low=1),
        reader.number("CAPP_API_CLIENT_ADDRESS_PER_MINUTE", usual.client_address_per_minute, low=1),
        reader.number("CAPP_API_CLIENT_KEY_PER_MINUTE", usual.client_key_per_minute, low=1),
        reader.number("CAPP_API_CLIENT_TENANT_PER_MINUTE", usual.client_tenant_per_minute, low=1),
        reader.number(
            "CAPP_API_CLIENT_PAYER_PER_10_MINUTES", usual.client_payer_per_10_minutes, low=1
        ),
    )


def _read_reservations(reader: Reader) -> ReservationSettings:
    usual = ReservationSettings()
    return ReservationSettings(
        reader.number("CAPP_RESERVATION_MINUTES", usual.minutes_max, low=1, high=10_080),
        reader.number("CAPP_RESERVATION_PERCENT", usual.percent_max, low=0, high=100),
    )


def _read_watching(reader: Reader) -> WatchingSettings:
    token = reader.token("CAPP_METRICS_TOKEN") if reader.path("CAPP_METRICS_TOKEN") else None
    return WatchingSettings(
        metrics_token=token,
        worker_metrics_port=reader.number("CAPP_WORKER_METRICS_PORT", 0, high=65535),
        sentry_dsn=reader.path("CAPP_SENTRY_DSN"),
        traces=reader.choice("CAPP_TRACES", ("off", "on")) == "on",
        environment_name=reader.path("CAPP_ENVIRONMENT"),
    )


def _read_edges(reader: Reader) -> EdgeSettings:
    certificate_file = reader.path("CAPP_TLS_CERTIFICATE_FILE")
    key_file = reader.path("CAPP_TLS_KEY_FILE")
    if bool(certificate_file) != bool(key_file):
        missing = "CAPP_TLS_KEY_FILE" if certificate_file else "CAPP_TLS_CERTIFICATE_FILE"
        reader.wrong(missing, "is missing: TLS needs both files")
    return EdgeSettings(
        hosts=reader.hosts("CAPP_HOSTS"),
        cors_origins=reader.origins("CAPP_CORS_ORIGINS"),
        certificate_file=certificate_file,
        key_file=key_file,
        key_password=reader.path("CAPP_TLS_KEY_PASSWORD"),
        keep_alive_seconds=reader.number("CAPP_HTTP_KEEP_ALIVE_SECONDS", 5, low=1, high=600),
        handshake_seconds=reader.number("CAPP_TLS_HANDSHAKE_SECONDS", 5, low=1, high=60),
        answer_seconds_max=reader.number("CAPP_API_ANSWER_SECONDS_MAX", 30, low=1, high=50),
        backlog=reader.number("CAPP_HTTP_BACKLOG", 2048, low=1, high=65535),
        strangers_per_minute=reader.number("CAPP_STRANGERS_PER_MINUTE", 120, low=1),
        dials_per_10_minutes=reader.number("CAPP_DIALS_PER_10_MINUTES", 40, low=1),
    )


def _read_settlement(reader: Reader) -> SettlementSettings | None:
    """Both files or none: without salts whoever sees one proof could guess its neighbours."""
    file = reader.path("CAPP_SETTLEMENT_FILE")
    salt_file = reader.path("CAPP_SETTLEMENT_SALT_FILE")
    if file and salt_file:
        return SettlementSettings(file, salt_file)
    if file or salt_file:
        missing = "CAPP_SETTLEMENT_SALT_FILE" if file else "CAPP_SETTLEMENT_FILE"
        reader.wrong(missing, "is missing: settlement needs both files")
    return None
