"""The one list of secrets: it is whole, each may come from a file, and none may be weak."""

import hashlib
import re
from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from channels import settings as settings_module
from channels.secrecy import (
    ADDRESSES,
    DRAWN,
    TOLD,
    is_a_houses_own,
    is_secret_name,
    weaknesses_of,
    with_files,
)
from channels.settings import BadSettings, read_settings
from engine.clock import Clock
from providers.environment import MissingSettings
from providers.http import no_trace
from providers.registry import OPERATORS, SMS, BuildOperator, BuildSms
from simulator.operators import credentials
from tests.providers.capability_table import plausible


def drawn(name: str) -> str:
    """A key as good as a random one, the same in every run."""
    return hashlib.sha256(name.encode()).hexdigest()


STRONG = {
    "DATABASE_URL": f"postgresql://capp:{drawn('db')}@db.example.org/capp?sslmode=verify-full",
    "REDIS_URL": f"rediss://:{drawn('redis')}@redis.example.org:6379/0",
    "CAPP_PUBLIC_URL": "https://pay.example.org",
    "CAPP_PIN_KEYS": f"1:{drawn('one')},2:{drawn('two')}",
    "CAPP_CALLBACK_KEYS": drawn("callback"),
    "CAPP_SESSION_KEY": drawn("session"),
    "CAPP_STAFF_KEYS": f"1:{drawn('staff')}",
    "CAPP_CLIENT_KEYS": f"1:{drawn('client')}",
    "CAPP_DATA_KEYS": f"1:{drawn('numbers')}",
    "CAPP_WEBHOOK_KEYS": f"1:{drawn('webhook')}",
    "CAPP_GATEWAY_TOKEN": drawn("gateway"),
    "CAPP_INSPECT_TOKEN": drawn("inspect"),
    "CAPP_METRICS_TOKEN": drawn("metrics"),
    "CAPP_PORTABILITY_TOKEN": drawn("portability"),
    "CAPP_TLS_KEY_PASSWORD": drawn("tls"),
    "CAPP_SENTRY_DSN": "https://key@sentry.example.org/1",
    "CAPP_OPENEXCHANGERATES_APP_ID": drawn("rates"),
    "CAPP_HUBTEL_TOKEN": drawn("hubtel"),
    "CAPP_MPESA_KE_CONSUMER_SECRET": drawn("consumer"),
    "CAPP_MTN_UG_API_KEY": drawn("api"),
    "CAPP_AIRTEL_UG_PIN": "4826",
    "CAPP_TWILIO_AUTH_TOKEN": drawn("twilio"),
}
SECRETS = sorted(name for name in STRONG if is_secret_name(name))


def _operator(build: BuildOperator, variables: Mapping[str, str]) -> Any:
    return build(variables, Clock(), no_trace)


def _sms(build: BuildSms, variables: Mapping[str, str]) -> Any:
    return build(variables, "https://pay.example.org/report", no_trace)


def hidden_fields() -> set[str]:
    """Fields of the settings and of their parts that are kept out of the `repr`."""
    parts = [part for part in vars(settings_module).values() if is_dataclass(part)]
    return {field.name for part in parts for field in fields(part) if not field.repr} - {
        "environment"
    }


def test_every_hidden_field_of_the_settings_is_on_the_list() -> None:
    """Whoever adds a secret adds it to the list as well."""
    known = {  # those that are not called as their variable is
        "database_url": "DATABASE_URL",
        "redis_url": "REDIS_URL",
        "gateway_tokens": "CAPP_HUBTEL_TOKEN",
        "key_password": "CAPP_TLS_KEY_PASSWORD",
        "keys": "CAPP_WEBHOOK_KEYS",
        "session_keys": "CAPP_SESSION_KEY",
    }
    named = {name: known.get(name, f"CAPP_{name.upper()}") for name in hidden_fields()}
    assert {n: v for n, v in named.items() if not is_secret_name(v) or v not in STRONG} == {}


def test_every_secret_an_adapter_reads_is_on_the_list() -> None:
    """By the words that adapters ask the environment for."""
    words = re.compile(r'"((?:[A-Z]+_)*(?:KEY|SECRET|PASSWORD|PASSKEY|PIN|AUTH_TOKEN|APP_ID))"')
    root = Path(__file__).parents[3] / "providers"
    asked = {word for path in root.rglob("*.py") for word in words.findall(path.read_text("utf-8"))}
    assert {"API_KEY", "CONSUMER_SECRET", "PASSKEY", "CLIENT_SECRET", "AUTH_TOKEN"} <= asked
    unlisted = {word for word in asked if not is_secret_name(f"CAPP_OPENEXCHANGERATES_{word}")}
    assert unlisted == set()


NO_SECRETS = frozenset({"API_USER", "CLIENT_ID", "INITIATOR", "THIRD_PARTY_ID"})
"""Who we are with a company: kept out of logs, and of no use without what is proven with."""


class Asked(dict[str, str]):
    """An environment that remembers what it was asked for."""

    def __init__(self, known: Mapping[str, str]) -> None:
        super().__init__(known)
        self.names: set[str] = set()

    def get(self, key: str, default: Any = None) -> Any:
        self.names.add(key)
        return super().get(key, default)


def hidden_from(name: str, build: Callable[[Mapping[str, str]], Any]) -> set[str]:
    """The variables behind what an adapter's settings keep out of their `repr`."""
    try:
        build({})
        lacking: tuple[str, ...] = ()
    except MissingSettings as error:
        lacking = error.names
    environment = Asked({each: plausible(each) for each in lacking})
    parts = [part for part in vars(build(environment)).values() if is_dataclass(part)]
    hidden = {field.name.upper() for part in parts for field in fields(part) if not field.repr}
    assert parts, f"{name}: an adapter keeps its settings, a frozen dataclass"
    return {each for each in environment.names if each.removeprefix(_prefix(name)) in hidden}


def _prefix(name: str) -> str:
    return f"CAPP_{name.upper()}_"


ADAPTERS: dict[str, Callable[[Mapping[str, str]], Any]] = {
    **{name: partial(_operator, build) for name, build in OPERATORS.items()},
    **{name: partial(_sms, build) for name, build in SMS.items()},
}


@pytest.mark.parametrize("name", ADAPTERS)
def test_whatever_an_adapters_settings_hide_is_on_the_list(name: str) -> None:
    """What its settings hide is a secret by its variable's name too, or none can come from a file,
    be found weak, and be kept from other tenants. Call it `..._KEY`, `_SECRET`, `_PASSWORD`.
    """
    hidden = hidden_from(name, ADAPTERS[name])
    known = {f"{_prefix(name)}{word}" for word in NO_SECRETS}
    assert {each for each in hidden - known if not is_secret_name(each)} == set()


def test_what_proves_a_callback_is_one_houses_own() -> None:
    name = "CAPP_ORANGE_CD_CALLBACK_AUTHORIZATION"
    assert name in hidden_from("orange_cd", ADAPTERS["orange_cd"])
    assert is_secret_name(name) and is_a_houses_own(name) and is_a_houses_own(f"{name}_FILE")


@pytest.mark.parametrize(
    "name",
    ["CAPP_PUBLIC_URL", "CAPP_OPERATORS", "CAPP_SETTLEMENT_SALT", "CAPP_TLS_KEY", "HOME",
     "CAPP_COMPLIANCE", "CAPP_MTN_UG_API_USER", "PATH"],
)  # fmt: skip
def test_what_is_no_secret_is_not_read_from_files(name: str) -> None:
    assert not is_secret_name(name)
    assert with_files({f"{name}_FILE": "/nowhere"}) == {f"{name}_FILE": "/nowhere"}


@pytest.mark.parametrize("name", SECRETS)
def test_every_secret_may_come_from_a_file(name: str, tmp_path: Path) -> None:
    file = tmp_path / "secret"
    file.write_text(STRONG[name] + "\n")
    rest = {n: value for n, value in STRONG.items() if n != name}
    assert with_files({**rest, f"{name}_FILE": str(file)}) == STRONG


def test_settings_are_read_from_what_files_hold(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text(drawn("gateway") + "\r\n")
    given = {**STRONG, "CAPP_GATEWAY_TOKEN_FILE": str(file)}
    del given["CAPP_GATEWAY_TOKEN"]
    assert read_settings(with_files(given)).gateway_token == (drawn("gateway"),)


def test_every_file_that_holds_no_secret_is_named_at_once_and_nothing_of_it_shown(
    tmp_path: Path,
) -> None:
    bodies = {
        "empty": b"\n",
        "two": b"line one\nline two",
        "binary": b"\xff\xfe",
        "long": b"x" * 70_000,
    }
    for name, body in bodies.items():
        (tmp_path / name).write_bytes(body)
    given = {
        "CAPP_SESSION_KEY": drawn("session"),
        "CAPP_SESSION_KEY_FILE": str(tmp_path / "two"),
        "CAPP_PIN_KEYS_FILE": str(tmp_path / "empty"),
        "CAPP_STAFF_KEYS_FILE": str(tmp_path / "two"),
        "CAPP_GATEWAY_TOKEN_FILE": str(tmp_path / "binary"),
        "CAPP_INSPECT_TOKEN_FILE": str(tmp_path / "long"),
        "CAPP_MTN_UG_API_KEY_FILE": str(tmp_path / "missing"),
    }
    with pytest.raises(BadSettings) as caught:
        with_files(given)
    said = str(caught.value)
    assert all(name in said for name in given if name.endswith("_FILE"))
    assert "CAPP_SESSION_KEY is set as well" in said
    assert "line one" not in said and drawn("session") not in said


def test_secrets_as_they_should_be_are_not_weak() -> None:
    assert weaknesses_of(STRONG) == []


WEAK = {
    "too short": drawn("x")[:20],
    "one sign": "0" * 64,
    "two signs": "ab" * 32,
}


@pytest.mark.parametrize("name", sorted(DRAWN | {"CAPP_HUBTEL_TOKEN"}))
@pytest.mark.parametrize("value", WEAK.values(), ids=WEAK.keys())
def test_what_we_draw_ourselves_must_look_drawn(name: str, value: str) -> None:
    given = f"1:{drawn('good')},2:{value}" if name.endswith("KEYS") else value
    found = weaknesses_of({**STRONG, name: given})
    assert [weakness.name for weakness in found] == [name]
    assert value not in found[0].why


@pytest.mark.parametrize("name", sorted(n for n in SECRETS if n not in DRAWN | ADDRESSES | TOLD))
def test_a_placeholder_is_no_secret(name: str) -> None:
    found = weaknesses_of({**STRONG, name: "changeme-please-and-make-me-long-enough"})
    assert [weakness.name for weakness in found] == [name]


# Of four digits: a real one may be the same.
PINS = {"AIRTEL_SANDBOX_PIN", "ORANGE_SANDBOX_PIN"}
OPENS = re.compile(r"KEY|SECRET|PASSWORD|PASSKEY|TOKEN|APP_ID")


@pytest.mark.parametrize(
    "name", [n for n in vars(credentials) if n.isupper() and OPENS.search(n) and n not in PINS]
)
def test_what_opens_a_sandbox_is_known_as_that(name: str) -> None:
    for variable in ("CAPP_MTN_UG_API_KEY", "CAPP_OPENEXCHANGERATES_APP_ID"):
        found = weaknesses_of({**STRONG, variable: getattr(credentials, name)})
        assert [weakness.name for weakness in found] == [variable]
        assert getattr(credentials, name) not in found[0].why


def test_one_secret_for_two_purposes_is_told() -> None:
    shared = {**STRONG, "CAPP_METRICS_TOKEN": drawn("gateway"), "CAPP_SESSION_KEY": drawn("two")}
    assert {(found.name, found.why) for found in weaknesses_of(shared)} == {
        ("CAPP_METRICS_TOKEN", "is the same as CAPP_GATEWAY_TOKEN"),
        ("CAPP_SESSION_KEY", "is the same as CAPP_PIN_KEYS"),
    }


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("postgresql://capp@db.example.org/capp", "has no password"),
        ("postgresql://capp:short@db.example.org/capp", "can be guessed"),
        ("postgresql://capp:postgres-password-1@127.0.0.1/capp", "can be guessed"),
        ("postgresql://[/", "is no address"),
        ("postgresql://capp@127.0.0.1/capp", ""),
        ("postgresql:///capp?host=/run/postgresql", ""),
    ],
)
def test_a_server_elsewhere_wants_a_password_nobody_guesses(url: str, why: str) -> None:
    found = weaknesses_of({**STRONG, "DATABASE_URL": url})
    assert [weakness.name for weakness in found] == (["DATABASE_URL"] if why else [])
    assert not found or why in found[0].why
