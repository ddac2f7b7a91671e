"""Files of tenants: what each may say, what it has from the process, and what two may not share."""

from pathlib import Path

import pytest

from channels.settings import BadSettings
from channels.tenants import FOLDER, environment_of, look_at_files, read_tenants
from tests.integration.street_room import drawn, file_of, house_environment, write_files

HOUSE = ("postgresql://u:p@127.0.0.1/capp", "redis://127.0.0.1/0")


def house(folder: Path, **more: str) -> dict[str, str]:
    return {**house_environment(*HOUSE, folder), **more}


def test_each_tenant_has_its_own_over_what_the_process_has(tmp_path: Path) -> None:
    soko = {**file_of("soko", 22), "CAPP_OPERATORS": "airtel_ug", "CAPP_QUOTE_SECONDS": "7"}
    write_files(tmp_path, duka=file_of("duka", 21), soko=soko)
    found = {t.name: t.settings for t in read_tenants(house(tmp_path)).sound}
    duka, other = found["duka"], found["soko"]
    assert (duka.tenant, duka.tenant_name, set(duka.shortcodes)) == (21, "duka", {"*384*21#"})
    assert (duka.public_url, other.public_url) == (
        "http://127.0.0.1/t/duka", "http://127.0.0.1/t/soko",
    )  # fmt: skip
    assert "role=capp_tenant_21" in duka.database_url
    assert "role=capp_tenant_22" in other.database_url
    assert (duka.operators, other.operators) == (("mtn_ug",), ("airtel_ug",))
    assert (duka.quote_seconds, other.quote_seconds) == (120, 7)
    assert duka.watching.metrics_token == other.watching.metrics_token == drawn("metrics")


@pytest.mark.parametrize(
    "name",
    ["CAPP_CALLBACK_KEYS", "CAPP_GATEWAY_TOKEN", "CAPP_SESSION_KEY", "CAPP_PIN_KEYS"],
)
def test_a_secret_of_the_process_is_no_tenants(tmp_path: Path, name: str) -> None:
    without = {n: v for n, v in file_of("duka", 21).items() if n != name}
    write_files(tmp_path, duka=without)
    value = f"1:{drawn('house')}" if name == "CAPP_PIN_KEYS" else drawn("house")
    with pytest.raises(BadSettings, match=f"duka.env: {name}: is missing"):
        read_tenants(house(tmp_path, **{name: value}))


def test_an_account_with_a_company_is_nobody_elses(tmp_path: Path) -> None:
    write_files(tmp_path, duka=file_of("duka", 21))
    given = house(tmp_path, CAPP_AIRTEL_UG_CLIENT_SECRET="the house's", CAPP_TENANT="1")
    own = environment_of(given, "duka")
    assert "CAPP_AIRTEL_UG_CLIENT_SECRET" not in own
    assert own["CAPP_TENANT"] == "21"
    assert FOLDER not in own


def test_every_fault_of_every_file_is_told_at_once_and_no_value(tmp_path: Path) -> None:
    secret = drawn("duka", "callback")
    write_files(
        tmp_path,
        a={**file_of("a", 1), "CAPP_TENANT": "one", "CAPP_SESSION_KEY": "short-one"},
        b={**file_of("b", 2), "CAPP_MODE": "development", "PATH": "/tmp"},
        duka={"CAPP_CALLBACK_KEYS": secret},
    )
    (tmp_path / "Bad Name.env").write_text("")
    (tmp_path / "torn.env").write_text(f"CAPP_TENANT=4\n{secret}\nCAPP_TENANT=5\n")
    with pytest.raises(BadSettings) as caught:
        read_tenants(house(tmp_path))
    said = str(caught.value)
    for what in (
        "a.env: CAPP_TENANT", "CAPP_SESSION_KEY: is not hexadecimal",
        "b.env: CAPP_MODE, PATH: not a tenant's to set", "Bad Name.env: a tenant's name",
        "torn.env: line 2: wants NAME=VALUE; line 3: CAPP_TENANT stands there twice",
        "duka.env: CAPP_TENANT: is missing", "CAPP_GATEWAY_TOKEN: is missing",
    ):  # fmt: skip
        assert what in said
    assert secret not in said and "short-one" not in said


@pytest.mark.parametrize(
    ("what", "own"),
    [
        ("CAPP_TENANT", {"CAPP_TENANT": "21"}),
        ("CAPP_CALLBACK_KEYS", {"CAPP_CALLBACK_KEYS": drawn("duka", "callback")}),
        ("CAPP_SESSION_KEY", {"CAPP_SESSION_KEY": drawn("duka", "callback")}),
        ("CAPP_STAFF_KEYS", {"CAPP_STAFF_KEYS": f"9:{drawn('duka', 'staff')}"}),
        ("CAPP_GATEWAY_TOKEN", {"CAPP_GATEWAY_TOKEN": drawn("duka", "gateway")}),
        ("CAPP_WORKER_METRICS_PORT", {"CAPP_WORKER_METRICS_PORT": "9101"}),
        ("CAPP_HOSTS", {"CAPP_HOSTS": "b.example,duka.example"}),
    ],
)
def test_two_have_nothing_that_only_one_may_have(
    tmp_path: Path, what: str, own: dict[str, str]
) -> None:
    hosted = {"CAPP_HOSTS": "duka.example", "CAPP_WORKER_METRICS_PORT": "9101"}
    write_files(
        tmp_path, duka={**file_of("duka", 21), **hosted}, soko={**file_of("soko", 22), **own}
    )
    found = look_at_files(house(tmp_path))
    assert [tenant.name for tenant in found.sound] == ["duka"]
    assert found.faults == {"soko.env": f"{what}: is also duka's"}


def test_what_is_called_back_must_lead_home(tmp_path: Path) -> None:
    for url in ("http://127.0.0.1", "http://127.0.0.1/t/soko", "http://else.example"):
        write_files(tmp_path, duka={**file_of("duka", 21), "CAPP_PUBLIC_URL": url})
        with pytest.raises(BadSettings, match="CAPP_PUBLIC_URL: leads elsewhere"):
            read_tenants(house(tmp_path))


def test_production_serves_all_or_nobody(tmp_path: Path) -> None:
    write_files(tmp_path, duka=file_of("duka", 21), soko=file_of("soko", 21))
    assert len(read_tenants(house(tmp_path)).sound) == 1
    with pytest.raises(BadSettings, match=r"soko.env: CAPP_TENANT"):
        read_tenants(house(tmp_path, CAPP_MODE="production"))
    write_files(tmp_path, soko=file_of("soko", 22))
    assert len(read_tenants(house(tmp_path, CAPP_MODE="production")).sound) == 2
    (tmp_path / "soko.env").chmod(0o644)
    with pytest.raises(BadSettings, match=r"soko.env: the file can be read by others"):
        read_tenants(house(tmp_path, CAPP_MODE="production"))


def test_secrets_may_stand_in_files_of_their_own(tmp_path: Path) -> None:
    (tmp_path / "url").write_text("postgresql://duka:own@127.0.0.1/capp\n")
    own = {**file_of("duka", 21), "DATABASE_URL_FILE": str(tmp_path / "url")}
    write_files(tmp_path, duka=own)
    (tenant,) = read_tenants(house(tmp_path)).sound
    assert tenant.settings.database_url.startswith("postgresql://duka:own@")


def test_a_folder_without_files_serves_nobody(tmp_path: Path) -> None:
    with pytest.raises(BadSettings, match=FOLDER):
        read_tenants(house(tmp_path / "none"))


def test_an_unknown_tenant_is_named_with_those_there_are(tmp_path: Path) -> None:
    write_files(tmp_path, duka=file_of("duka", 21))
    with pytest.raises(BadSettings, match="there is no 'soko'; there are duka"):
        environment_of(house(tmp_path), "soko")


def test_the_folder_beside_a_file_is_what_its_customers_read(tmp_path: Path) -> None:
    """Nobody has another's by chance: neither the process's, nor one that is only near."""
    (tmp_path / "duka").mkdir()
    (tmp_path / "else").mkdir()
    named = {**file_of("bidhaa", 23), "CAPP_MENUS_FOLDER": str(tmp_path / "else")}
    write_files(tmp_path, duka=file_of("duka", 21), soko=file_of("soko", 22), bidhaa=named)
    found = read_tenants(house(tmp_path, CAPP_MENUS_FOLDER=str(tmp_path / "else")))
    assert {t.name: t.settings.own_menus for t in found.sound} == {
        "duka": tmp_path / "duka", "soko": None, "bidhaa": tmp_path / "else",
    }  # fmt: skip


def test_a_folder_that_is_not_there_is_a_fault_of_that_tenant_alone(tmp_path: Path) -> None:
    lost = {**file_of("soko", 22), "CAPP_MENUS_FOLDER": str(tmp_path / "nowhere")}
    write_files(tmp_path, duka=file_of("duka", 21), soko=lost)
    found = look_at_files(house(tmp_path))
    assert [tenant.name for tenant in found.sound] == ["duka"]
    assert found.faults == {"soko.env": "CAPP_MENUS_FOLDER: is not a folder"}
