"""Production mode: each thing it refuses, told by its variable with what to do."""

import argparse
from pathlib import Path

import pytest
import yaml

from channels.app import edges_of
from channels.commands import serving, working
from channels.commands.doctor import examine
from channels.production import findings_of, refuse_insecure
from channels.settings import BadSettings, Settings, read_settings
from tests.unit.channels.test_secrecy import STRONG, drawn

SOUND = {
    **{name: value for name, value in STRONG.items() if name != "CAPP_INSPECT_TOKEN"},
    "CAPP_MODE": "production",
    "CAPP_TRUSTED_PROXIES": "10.0.0.0/8",
    "CAPP_MTN_UG_BASE_URL": "https://momo.example",
}
CHAIN = {"aptos": {"chain_id": 1, "node": "https://node.example"}, "keys": {"kind": "vault"}}


def settings_of(**changed: str) -> Settings:
    given = {**SOUND, **changed}
    return read_settings({name: value for name, value in given.items() if value != "-"})


def test_a_sound_installation_is_served() -> None:
    assert findings_of(settings_of()) == []
    refuse_insecure(settings_of())


INSECURE = {
    "CAPP_PUBLIC_URL": "http://pay.example.org",
    "CAPP_PUBLIC_URL ": "https://127.0.0.1",
    "CAPP_MTN_UG_BASE_URL": "http://momo.example",
    "CAPP_PORTABILITY_URL": "HTTP://who.example",
    "DATABASE_URL": f"postgresql://capp:{drawn('db')}@db.example.org/capp",
    "DATABASE_URL ": f"postgresql://capp:{drawn('db')}@db.example.org/capp?sslmode=prefer",
    "REDIS_URL": f"redis://:{drawn('redis')}@redis.example.org/0",
    "REDIS_URL ": f"redis+cluster://:{drawn('redis')}@127.0.0.1:7000,10.1.1.1:7001/0",
    "CAPP_CORS_ORIGINS": "https://shop.example.org,http://shop.example.org",
    "CAPP_METRICS_TOKEN": "-",
    "CAPP_DATA_KEYS": "-",
    "CAPP_DATABASE_ROLE": "none",
    "CAPP_WEBHOOK_LOCAL": "1",
    "CAPP_INSPECT_TOKEN": drawn("inspect"),
    "CAPP_STAFF_KEYS": f"1:{drawn('gateway')}",
    "CAPP_PIN_KEYS": "1:" + "00" * 32,
}


@pytest.mark.parametrize(("name", "value"), INSECURE.items(), ids=INSECURE.keys())
def test_each_insecure_setting_is_refused_by_its_name_with_what_to_do(
    name: str, value: str
) -> None:
    name = name.strip()
    settings = settings_of(**{name: value})
    (finding,) = findings_of(settings)
    assert finding.remedy
    assert name in str(finding) or name == "CAPP_STAFF_KEYS"  # told by whichever comes second
    assert value not in str(finding)
    with pytest.raises(BadSettings, match=finding.name):
        refuse_insecure(settings)
    for process in (serving.serve, working.work):
        with pytest.raises(BadSettings, match="production refuses 1 settings"):
            process(settings, argparse.Namespace(host="127.0.0.1", port=0))


def test_nobody_who_speaks_tls_is_told() -> None:
    (finding,) = findings_of(settings_of(CAPP_TRUSTED_PROXIES="-"))
    assert finding.name == "CAPP_TLS_CERTIFICATE_FILE"
    files = {"CAPP_TLS_CERTIFICATE_FILE": "/c.pem", "CAPP_TLS_KEY_FILE": "/k.pem"}
    assert findings_of(settings_of(CAPP_TRUSTED_PROXIES="-", **files)) == []


@pytest.mark.parametrize(
    ("part", "changed", "told"),
    [
        ("aptos", {"chain_id": 4, "node": "https://node.example"}, "no mainnet"),
        ("aptos", {"chain_id": 1, "node": "http://127.0.0.1:8080"}, "without https"),
        ("keys", {"kind": "file"}, "keys in files"),
        ("keys", None, "cannot be read"),
        ("keys", {"kind": "vault"}, ""),
    ],
)
def test_money_is_settled_on_the_real_chain_with_keys_that_nobody_can_copy(
    part: str, changed: dict[str, object] | None, told: str, tmp_path: Path
) -> None:
    file = tmp_path / "settlement.yaml"
    file.write_text(yaml.safe_dump({**CHAIN, part: changed}))
    named = {"CAPP_SETTLEMENT_FILE": str(file), "CAPP_SETTLEMENT_SALT_FILE": "/salt"}
    found = findings_of(settings_of(**named))
    assert [finding.name for finding in found] == (["CAPP_SETTLEMENT_FILE"] if told else [])
    assert not found or told in str(found[0])


def test_in_development_nothing_is_refused() -> None:
    settings = settings_of(CAPP_MODE="-", CAPP_METRICS_TOKEN="-")
    assert len(findings_of(settings)) == 1
    refuse_insecure(settings)


def test_a_mode_nobody_knows_is_refused() -> None:
    with pytest.raises(BadSettings, match="CAPP_MODE: must be one of development, production"):
        settings_of(CAPP_MODE="prod")


async def test_doctor_names_every_finding_and_is_not_content() -> None:
    changed = {"CAPP_METRICS_TOKEN": "-", "CAPP_PUBLIC_URL": "http://pay.example.org"}
    here = {"DATABASE_URL": "postgresql://127.0.0.1:1/capp", "REDIS_URL": "redis://127.0.0.1:1"}
    said: list[str] = []
    assert not await examine(settings_of(**changed, **here), said.append)
    told = [line for line in said if " production: " in line]
    assert [line.split()[:3] for line in told] == [
        ["FAULT", "production:", "CAPP_PUBLIC_URL"],
        ["FAULT", "production:", "CAPP_METRICS_TOKEN"],
    ]
    said.clear()
    await examine(settings_of(CAPP_MODE="-", **changed, **here), said.append)
    assert [line.split()[0] for line in said if " production: " in line] == ["later", "later"]
    assert "ok    mode: development; production (CAPP_MODE) would refuse 2 settings" in said


def test_in_production_the_api_is_called_by_its_public_name() -> None:
    assert edges_of(settings_of()).hosts == {"pay.example.org"}
    assert edges_of(settings_of(CAPP_HOSTS="a.example, B.example")).hosts == {
        "a.example",
        "b.example",
    }
    assert edges_of(settings_of(CAPP_MODE="-")).hosts == frozenset()
    assert edges_of(settings_of()).is_secure
    assert not edges_of(settings_of(CAPP_PUBLIC_URL="http://pay.example.org")).is_secure


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("CAPP_HOSTS", "https://pay.example.org"),
        ("CAPP_HOSTS", "pay.example.org:443"),
        ("CAPP_HOSTS", "*"),
        ("CAPP_CORS_ORIGINS", "*"),
        ("CAPP_CORS_ORIGINS", "null"),
        ("CAPP_CORS_ORIGINS", "https://shop.example.org/"),
        ("CAPP_CORS_ORIGINS", "https://*.example.org"),
        ("CAPP_TLS_CERTIFICATE_FILE", "/c.pem"),
        ("CAPP_TLS_KEY_FILE", "/k.pem"),
        ("CAPP_HTTP_KEEP_ALIVE_SECONDS", "0"),
        ("CAPP_TLS_HANDSHAKE_SECONDS", "0"),
        ("CAPP_API_ANSWER_SECONDS_MAX", "0"),
        ("CAPP_API_ANSWER_SECONDS_MAX", "51"),
        ("CAPP_HTTP_BACKLOG", "0"),
        ("CAPP_DIALS_PER_10_MINUTES", "0"),
        ("CAPP_STRANGERS_PER_MINUTE", "0"),
    ],
)
def test_senseless_settings_of_the_edges_are_named(name: str, value: str) -> None:
    with pytest.raises(BadSettings, match=name.rpartition("_TLS_")[0] or name):
        settings_of(**{name: value})
