import pytest

from channels.commands.doctor import CHECKS
from channels.settings import (
    ApiPaces,
    BadSettings,
    WatchingSettings,
    log_form_of,
    read_settings,
)
from engine.once import UNDER_WAY_SECONDS

SECRET = "5ec7e7" * 8
GOOD = {
    "DATABASE_URL": f"postgresql://u:{SECRET}@127.0.0.1/capp",
    "REDIS_URL": "redis://127.0.0.1/0",
    "CAPP_PUBLIC_URL": "https://pay.example.org/",
    "CAPP_PIN_KEYS": f"2:{SECRET},1:{SECRET}",
    "CAPP_CALLBACK_KEYS": SECRET,
    "CAPP_SESSION_KEY": SECRET,
    "CAPP_GATEWAY_TOKEN": SECRET,
}


def test_a_whole_environment_is_read() -> None:
    settings = read_settings(GOOD)
    assert settings.public_url == "https://pay.example.org"
    assert list(settings.pin_keys) == [2, 1]
    assert settings.shortcodes == {"*384*96#"}
    assert settings.operators == ("mpesa_ke", "mtn_ug")
    assert settings.inspect_token is None


def test_secrets_are_not_shown() -> None:
    assert SECRET not in repr(read_settings(GOOD))


def test_every_fault_is_named_at_once_and_no_value_is_repeated() -> None:
    environment = {
        **GOOD,
        "DATABASE_URL": " ",
        "CAPP_PIN_KEYS": f"one:{SECRET}",
        "CAPP_CALLBACK_KEYS": "not hex " + SECRET,
        "CAPP_SESSION_KEY": "abcd",
        "CAPP_GATEWAY_TOKEN": "short-token",
        "CAPP_TENANT": "first",
    }
    with pytest.raises(BadSettings) as caught:
        read_settings(environment)
    said = str(caught.value)
    for name in ("DATABASE_URL", "CAPP_PIN_KEYS", "CAPP_CALLBACK_KEYS", "CAPP_SESSION_KEY",
                 "CAPP_GATEWAY_TOKEN", "CAPP_TENANT"):  # fmt: skip
        assert name in said
    assert SECRET not in said
    assert "short-token" not in said


def test_an_empty_environment_names_all_that_is_needed() -> None:
    with pytest.raises(BadSettings) as caught:
        read_settings({})
    assert all(name in str(caught.value) for name in GOOD)


@pytest.mark.parametrize("word", ["true", "yes", "on", "2"])
def test_who_wants_a_list_and_says_so_in_another_word_is_told(word: str) -> None:
    assert read_settings({**GOOD, "CAPP_SCREENING_REQUIRED": "1"}).screening_required
    with pytest.raises(BadSettings, match="CAPP_SCREENING_REQUIRED"):
        read_settings({**GOOD, "CAPP_SCREENING_REQUIRED": word})


def test_rates_live_by_the_table_alone_until_sources_are_named() -> None:
    alone = read_settings(GOOD)
    assert (alone.rates.sources, alone.rates.sources_min) == ((), 1)
    assert alone.rate_stale_seconds == 7 * 86_400
    named = {**GOOD, "CAPP_RATE_SOURCES": "floatrates, openexchangerates,floatrates"}
    fed = read_settings(named)
    assert fed.rates.sources == ("floatrates", "openexchangerates")
    assert (fed.rates.sources_min, fed.rate_stale_seconds) == (2, 86_400)


def test_pairs_are_put_in_alphabetical_order_once() -> None:
    settings = read_settings({**GOOD, "CAPP_RATE_PAIRS": "UGX/KES,KES/UGX,KES/TZS"})
    assert settings.rates.pairs == (("KES", "UGX"), ("KES", "TZS"))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("CAPP_RATE_PAIRS", "KES"),
        ("CAPP_RATE_PAIRS", "KES/KES"),
        ("CAPP_RATE_PAIRS", "KES/DOGE"),
        ("CAPP_RATE_SOURCES_MIN", "0"),
        ("CAPP_RATE_SOURCES_MIN", "2"),  # there is only the table
        ("CAPP_RATE_JUMP_SOURCES_MIN", "0"),
        ("CAPP_RATE_OUTLIER_BP", "2%"),
    ],
)
def test_senseless_rate_settings_are_named(name: str, value: str) -> None:
    with pytest.raises(BadSettings, match=name):
        read_settings({**GOOD, name: value})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("CAPP_QUOTE_SECONDS", "0"),  # every price would be over before it is read
        ("CAPP_QUOTE_SECONDS", "99999999999"),
        ("CAPP_LEASE_SECONDS", "0"),  # everybody would carry out the same orders
        ("CAPP_PIN_COOL_DOWN_SECONDS", "0"),  # whoever guesses would never wait
        ("CAPP_PIN_COOL_DOWN_SECONDS", "99999999999999"),
        ("CAPP_COLLECT_DELAY_SECONDS", "99999999999"),
        ("CAPP_FIRST_LOOK_SECONDS", "99999999999"),
        ("CAPP_FIRST_PAYOUT_LOOK_SECONDS", "99999999999"),
        ("CAPP_REQUEST_SECONDS", "9999999999999999999"),
        ("CAPP_RATE_STALE_SECONDS", "0"),  # no rate would ever do
        ("CAPP_RATE_TABLE_STALE_SECONDS", "0"),
        ("CAPP_TRAFFIC_DAYS", "99999999999"),
        ("CAPP_KEPT_STATEMENTS_DAYS", "99999999999"),
    ],
)
def test_times_with_which_nothing_would_work_are_named(name: str, value: str) -> None:
    with pytest.raises(BadSettings, match=f"^{name}: must be [0-9]+ or more, up to [0-9]+$"):
        read_settings({**GOOD, name: value})


def test_a_rate_outlasts_the_time_until_the_next_is_fetched() -> None:
    fed = {**GOOD, "CAPP_RATE_SOURCES": "floatrates", "CAPP_RATE_TABLE_STALE_SECONDS": "0"}
    assert read_settings({**fed, "CAPP_RATE_STALE_SECONDS": "901"}).rate_stale_seconds == 901
    with pytest.raises(
        BadSettings, match=r"^CAPP_RATE_STALE_SECONDS: must be more than CAPP_RATE_F"
    ):
        read_settings({**fed, "CAPP_RATE_STALE_SECONDS": "900"})


def test_one_gateway_is_served_until_others_are_named() -> None:
    assert read_settings(GOOD).ussd_gateways == ("africastalking",)
    several = read_settings({**GOOD, "CAPP_USSD_GATEWAYS": "hubtel, africastalking,hubtel"})
    assert several.ussd_gateways == ("hubtel", "africastalking")


def test_gateway_may_have_a_token_of_its_own() -> None:
    own = "own-token_1.~" * 3
    named = {**GOOD, "CAPP_USSD_GATEWAYS": "hubtel,mtn_ussd,nalo", "CAPP_NALO_TOKEN": " "}
    settings = read_settings({**named, "CAPP_MTN_USSD_TOKEN": own, "CAPP_ARKESEL_TOKEN": "short"})
    assert settings.token_of("mtn_ussd") == own
    assert settings.token_of("hubtel") == settings.token_of("nalo") == SECRET
    assert own not in repr(settings)


def test_while_a_token_is_changed_the_one_before_is_heard_as_well() -> None:
    new, own = "new-token" * 4, "own-token" * 4
    settings = read_settings({
        **GOOD, "CAPP_USSD_GATEWAYS": "hubtel,nalo", "CAPP_GATEWAY_TOKEN": f"{new}, {SECRET}",
        "CAPP_NALO_TOKEN": f"{own},{new}",
    })  # fmt: skip
    assert settings.tokens_of("hubtel") == (new, SECRET)
    assert settings.tokens_of("nalo") == (own, new)
    assert (settings.token_of("hubtel"), settings.token_of("nalo")) == (new, own)
    assert SECRET not in repr(settings)
    for bad in (f"{new},short", f"{new},", f",{new}"):
        with pytest.raises(BadSettings, match="CAPP_GATEWAY_TOKEN: wants 32 or more"):
            read_settings({**GOOD, "CAPP_GATEWAY_TOKEN": bad})


@pytest.mark.parametrize("token", ["short-token", SECRET + "/end", SECRET + "%20", f"a b{SECRET}"])
@pytest.mark.parametrize("name", ["CAPP_GATEWAY_TOKEN", "CAPP_AFRICASTALKING_TOKEN"])
def test_token_that_can_be_guessed_or_is_no_word_of_a_path_is_refused(
    name: str, token: str
) -> None:
    with pytest.raises(BadSettings, match=f"{name}: wants 32 or more") as caught:
        read_settings({**GOOD, name: token})
    assert token not in str(caught.value)


def test_operators_may_call_from_anywhere_until_a_list_says_otherwise() -> None:
    alone = read_settings(GOOD).webhooks
    assert dict(alone.sources) == {"mpesa_ke": (), "mtn_ug": ()}
    assert alone.trusted_proxies == ()
    assert (alone.traffic_days, alone.strange_per_minute) == (90, 600)
    listed = {
        **GOOD,
        "CAPP_MPESA_KE_CALLBACK_SOURCES": "196.201.214.200, 2001:db8::/32",
        "CAPP_TRUSTED_PROXIES": "10.0.0.0/8",
        "CAPP_TRAFFIC_DAYS": "7",
        "CAPP_TRAFFIC_STRANGE_PER_MINUTE": "0",
    }
    told = read_settings(listed).webhooks
    assert [str(n) for n in told.sources["mpesa_ke"]] == ["196.201.214.200/32", "2001:db8::/32"]
    assert [str(n) for n in told.trusted_proxies] == ["10.0.0.0/8"]
    assert (told.traffic_days, told.strange_per_minute) == (7, 0)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("CAPP_MPESA_KE_CALLBACK_SOURCES", "196.201.214.200/24"),
        ("CAPP_MTN_UG_CALLBACK_SOURCES", "mtn.example.org"),
        ("CAPP_TRUSTED_PROXIES", "10.0.0.0/8;10.1.0.0/16"),
        ("CAPP_TRAFFIC_DAYS", "0"),
    ],
)
def test_sources_that_are_no_networks_are_refused_by_name(name: str, value: str) -> None:
    with pytest.raises(BadSettings, match=name):
        read_settings({**GOOD, name: value})


def test_a_look_up_never_keeps_a_price_waiting_for_long_and_probes_keep_their_distance() -> None:
    usual = read_settings(GOOD)
    assert (usual.portability_ms, usual.probe_quiet_seconds, usual.probe_seconds) == (800, 300, 120)
    assert read_settings({**GOOD, "CAPP_PROBE_QUIET_SECONDS": "0"}).probe_quiet_seconds == 0
    for name, value in (("CAPP_PORTABILITY_MS", "3001"), ("CAPP_PROBE_SECONDS", "29")):
        with pytest.raises(BadSettings, match=name):
            read_settings({**GOOD, name: value})


async def test_doctor_says_who_looks_ported_numbers_up_and_asks_nobody() -> None:
    check = CHECKS["ported numbers"]
    assert "no look-up" in await check(read_settings(GOOD))
    asked = {**GOOD, "CAPP_PORTABILITY_URL": "https://who.example"}
    assert await check(read_settings(asked)) == "looked up, 800 ms at most"
    with pytest.raises(ValueError, match="must be http"):
        await check(read_settings({**GOOD, "CAPP_PORTABILITY_URL": "who.example"}))


def test_settlement_is_off_until_its_files_are_named() -> None:
    assert read_settings(GOOD).settlement is None
    both = {"CAPP_SETTLEMENT_FILE": "/etc/s.yaml", "CAPP_SETTLEMENT_SALT_FILE": "/etc/salt"}
    settlement = read_settings({**GOOD, **both}).settlement
    assert settlement is not None
    assert (settlement.file, settlement.salt_file) == ("/etc/s.yaml", "/etc/salt")


@pytest.mark.parametrize(
    ("set_one", "named"),
    [
        ("CAPP_SETTLEMENT_FILE", "CAPP_SETTLEMENT_SALT_FILE"),
        ("CAPP_SETTLEMENT_SALT_FILE", "CAPP_SETTLEMENT_FILE"),
    ],
)
def test_settlement_without_one_of_its_files_is_refused(set_one: str, named: str) -> None:
    with pytest.raises(BadSettings, match=f"^{named}: is missing"):
        read_settings({**GOOD, set_one: "/etc/somewhere"})


def test_how_often_the_api_may_be_asked_is_a_setting() -> None:
    assert read_settings(GOOD).api_paces == ApiPaces(600, 300, 20)
    asked = {
        "CAPP_API_ADDRESS_PER_MINUTE": "7",
        "CAPP_API_MEMBER_PER_MINUTE": "6",
        "CAPP_API_UNPROVEN_PER_5_MINUTES": "5",
    }
    assert read_settings({**GOOD, **asked}).api_paces == ApiPaces(7, 6, 5)
    for name in asked:
        with pytest.raises(BadSettings, match=name):
            read_settings({**GOOD, name: "0"})


def test_nobody_watches_until_it_is_wanted() -> None:
    watching = read_settings(GOOD).watching
    assert watching == WatchingSettings(None, 0, "", traces=False, environment_name="")
    assert log_form_of(GOOD) == "text"
    wanted = read_settings(
        {
            **GOOD,
            "CAPP_METRICS_TOKEN": "m" * 32,
            "CAPP_WORKER_METRICS_PORT": "9100",
            "CAPP_SENTRY_DSN": "https://key@sentry.example.org/1",
            "CAPP_TRACES": "on",
            "CAPP_ENVIRONMENT": "staging",
        }
    ).watching
    assert wanted == WatchingSettings(
        "m" * 32, 9100, "https://key@sentry.example.org/1", traces=True, environment_name="staging"
    )
    assert "m" * 32 not in repr(wanted) and "sentry.example" not in repr(wanted)
    assert log_form_of({"CAPP_LOG_FORM": "json"}) == "json"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("CAPP_METRICS_TOKEN", "short"),
        ("CAPP_WORKER_METRICS_PORT", "65536"),
        ("CAPP_TRACES", "yes"),
    ],
)
def test_senseless_settings_of_watching_are_named(name: str, value: str) -> None:
    with pytest.raises(BadSettings, match=name):
        read_settings({**GOOD, name: value})


def test_a_form_of_logs_nobody_knows_is_refused_before_anything_is_said() -> None:
    with pytest.raises(BadSettings, match="CAPP_LOG_FORM: must be one of text, json"):
        log_form_of({"CAPP_LOG_FORM": "xml"})


def test_who_connects_is_the_tenants_role_unless_it_is_switched_off() -> None:
    settings = read_settings({**GOOD, "CAPP_TENANT": "7"})
    assert settings.row_security
    assert settings.database_url == f"{GOOD['DATABASE_URL']}?role=capp_tenant_7"
    off = read_settings({**GOOD, "CAPP_DATABASE_ROLE": "none"})
    assert not off.row_security
    assert off.database_url == GOOD["DATABASE_URL"]


@pytest.mark.parametrize("name", ["postgres", "capp_tenant_2", "None"])
def test_no_other_role_is_taken(name: str) -> None:
    with pytest.raises(BadSettings, match="CAPP_DATABASE_ROLE: must be one of"):
        read_settings({**GOOD, "CAPP_DATABASE_ROLE": name})


def test_a_tenant_fits_into_the_number_of_an_account() -> None:
    assert read_settings({**GOOD, "CAPP_TENANT": "2097151"}).tenant == 2097151
    with pytest.raises(BadSettings, match="CAPP_TENANT"):
        read_settings({**GOOD, "CAPP_TENANT": "2097152"})


HOOK_KEY = bytes(range(32)).hex()


def test_keys_and_ports_of_webhooks_are_read_and_by_default_nobody_is_told() -> None:
    usual = read_settings(GOOD).hooks
    assert (usual.keys, usual.ports, usual.local) == ({}, frozenset({443, 8443}), False)
    given = {"CAPP_WEBHOOK_KEYS": f"3:{HOOK_KEY}", "CAPP_WEBHOOK_PORTS": "443, 9443"}
    hooks = read_settings({**GOOD, **given, "CAPP_WEBHOOK_LOCAL": "1"}).hooks
    assert hooks.keys == {3: bytes(range(32))}
    assert (hooks.ports, hooks.local) == (frozenset({443, 9443}), True)
    assert HOOK_KEY not in repr(hooks)
    assert str(bytes(range(32))) not in repr(hooks)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("CAPP_WEBHOOK_KEYS", f"1:{'00' * 32}"),
        ("CAPP_WEBHOOK_KEYS", f"1:{HOOK_KEY}ff"),
        ("CAPP_WEBHOOK_KEYS", HOOK_KEY),
        ("CAPP_WEBHOOK_PORTS", "https"),
        ("CAPP_WEBHOOK_PORTS", "0"),
        ("CAPP_WEBHOOK_PORTS", "70000"),
        ("CAPP_WEBHOOK_LOCAL", "yes"),
    ],
)
def test_what_cannot_be_meant_of_webhooks_is_named_and_not_repeated(name: str, value: str) -> None:
    with pytest.raises(BadSettings, match=name) as caught:
        read_settings({**GOOD, name: value})
    assert HOOK_KEY not in str(caught.value)


DATA_KEY = bytes(range(32)).hex()


def test_data_keys_are_read_by_version_and_never_shown() -> None:
    assert read_settings(GOOD).data_keys == {}
    both = f"1:{DATA_KEY},2:{DATA_KEY[::-1]}"
    settings = read_settings({**GOOD, "CAPP_DATA_KEYS": both})
    assert list(settings.data_keys) == [1, 2]
    assert DATA_KEY not in repr(settings)


@pytest.mark.parametrize(
    "changed",
    [
        {"CAPP_DATA_KEYS": "1:" + "00" * 32},
        {"CAPP_DATA_KEYS": "1:" + DATA_KEY[:32]},
        {"CAPP_DATA_KEYS": DATA_KEY},
        {"CAPP_DATA_KEYS": f"1:{DATA_KEY},1:{DATA_KEY}"},
    ],
    ids=["drawn by nobody", "short", "no version", "twice"],
)
def test_data_keys_that_protect_nobody_are_refused(changed: dict[str, str]) -> None:
    with pytest.raises(BadSettings, match="CAPP_DATA_KEYS") as caught:
        read_settings({**GOOD, **changed})
    assert DATA_KEY not in str(caught.value)


def test_an_answer_never_takes_as_long_as_a_request_counts_as_under_way() -> None:
    """Or a repeat would take up what still goes on."""
    longest = read_settings({**GOOD, "CAPP_API_ANSWER_SECONDS_MAX": "50"}).edges
    assert longest.answer_seconds_max < UNDER_WAY_SECONDS
