"""What whoever runs an installation gets wrong is told in a sentence: no trace, no secret."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from channels import cli
from channels.commands.doctor import CHECKS
from channels.commands.seed import read_seeds
from channels.environment import BadArgument
from channels.reconciliation import OTHER_FILE, read_polling, read_statement_terms
from channels.settings import BadSettings, read_settings
from engine.clock import Clock
from providers.environment import MissingSettings, SenselessSettings
from providers.registry import build_operators, build_rate_sources, build_sms, build_ussd
from tests.providers.capability_table import plausible
from tests.unit.channels.test_settings import GOOD

BAD_USAGE = 2
PASSWORD = "{}Hq7x{}tR9vWk2mZp4c"
"""With a sign in it that ought to have been escaped, behind letters or behind digits."""

Run = Callable[..., str]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """A command that is refused for how it was called; gives what it says."""

    def called(*words: str, **environment: str) -> str:
        for name, value in {**GOOD, **environment}.items():
            monkeypatch.setenv(name, value)
        code: str | int | None
        try:
            code = cli.main(words)
        except SystemExit as error:  # how argparse ends
            code = error.code
        out, err = capsys.readouterr()
        assert (code, out) == (BAD_USAGE, ""), err
        return err

    return called


@pytest.mark.parametrize(
    "address",
    [
        "garbage",
        "mysql://x/y",
        "postgresql:capp",
        "postgresql://127.0.0.1:99999/capp",
        "postgresql://[::1/capp",
        "postgresql://127.0.0.1/capp?sslmode=verify",
        "postgresql://127.0.0.1/capp?verify-full",
        *(f"postgresql://capp:{PASSWORD.format('', sign)}@127.0.0.1/capp" for sign in "#/?["),
        *(f"postgresql://capp:{PASSWORD.format('12' + sign, '')}@h/capp" for sign in "#/?"),
    ],
)
@pytest.mark.parametrize("words", [["books"], ["migrate"], ["doctor"], ["worker"], ["serve"]])
def test_an_address_of_no_database_is_refused_by_its_name_alone(
    run: Run, words: list[str], address: str
) -> None:
    said = run(*words, DATABASE_URL=address)
    assert said.startswith("capp: DATABASE_URL: ")
    assert said.count("\n") == 1
    assert "Hq7x" not in said and "tR9v" not in said and address not in said


@pytest.mark.parametrize(
    "address",
    [
        "postgresql:///capp",
        "postgres://capp@/capp?host=/var/run/postgresql",
        "postgresql://u:p%23%2F%3F%40@a.example.org:5432,b.example.org/capp?sslmode=verify-full",
        "postgresql://u:a=b+c,d;e@[::1]:5432/capp",
        "postgresql://u@%2Frun%2Fpostgresql/capp",
    ],
)
def test_every_address_of_a_database_that_the_driver_takes_is_taken(address: str) -> None:
    read_settings({**GOOD, "DATABASE_URL": address})


@pytest.mark.parametrize(
    "address",
    ["garbage", "http://127.0.0.1", "redis://127.0.0.1:x/0",
     *(f"redis://:{PASSWORD.format('', sign)}@127.0.0.1/0" for sign in "#/?"),
     *(f"redis://:{PASSWORD.format('12' + sign, '')}@127.0.0.1/0" for sign in "#/?")],
)  # fmt: skip
def test_an_address_of_no_redis_is_refused_by_its_name_alone(run: Run, address: str) -> None:
    said = run("sessions", REDIS_URL=address)
    assert said.startswith("capp: REDIS_URL: ")
    assert "Hq7x" not in said and "tR9v" not in said and address not in said


@pytest.mark.parametrize(
    "address",
    ["redis://127.0.0.1", "rediss://u:p%40@r.example.org:6380/1?ssl_cert_reqs=none",
     "redis+cluster://[::1]:7000,[::2]:7001,c:7002", "unix:///run/redis.sock?db=1"],
)  # fmt: skip
def test_every_address_of_a_redis_that_is_served_is_taken(address: str) -> None:
    read_settings({**GOOD, "REDIS_URL": address})


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (["--log-level", "banana", "books"], "--log-level"),
        (["books", "--at", "999999d"], "--at"),
        (["books", "--account", "POOL_AVAIL:UGX", "--from", "soon"], "--from"),
        (["books", "--account", "POOL_AVAIL:UGX", "--to", "9999-12-31T23:59-05:00"], "--to"),
        (["decisions", "--since", "999999d"], "--since"),
        (["decisions", "--since", "yesterday"], "--since"),
        (["messages", "--day", "0001-01-01"], "--day"),
        (["messages", "--day", "9999-12-31"], "--day"),
        (["sessions", "--day", "2026-11-99"], "--day"),
        (["statements", "take", "mpesa_ke", "0001-01-01", "file"], "day"),
        (["take", "K", "--as", "me", "--days", "99999999999"], "--days"),
        (["data", "rotate", "--notice-seconds", "nan"], "--notice-seconds"),
        (["data", "rotate", "--notice-seconds", "-1"], "--notice-seconds"),
        (["serve", "--port", "99999"], "--port"),
        (["serve", "--port", "-1"], "--port"),
    ],
)
def test_what_no_argument_can_be_is_refused_by_its_name(
    run: Run, words: list[str], named: str
) -> None:
    said = run(*words)
    assert f"error: argument {named}: " in said


def test_a_key_with_a_version_that_only_looks_like_a_number_is_refused(run: Run) -> None:
    assert "CAPP_PIN_KEYS: wants version:hex" in run("books", CAPP_PIN_KEYS="²:00")


@pytest.mark.parametrize("text", ["a: [", "- x\nb: 1", "\x00", "\t"])
def test_a_seed_that_is_no_yaml_is_told_so(tmp_path: Path, text: str) -> None:
    file = tmp_path / "seed.yaml"
    file.write_text(text)
    with pytest.raises(BadArgument, match="is no file of YAML"):
        read_seeds(file)


NOBODY: dict[str, Callable[[], object]] = {
    "CAPP_OPERATORS": lambda: build_operators({}, clock=Clock(), names=["bogus"]),
    "CAPP_SMS_GATEWAYS": lambda: build_sms({}, names=["bogus"], report_url=str),
    "CAPP_USSD_GATEWAYS": lambda: build_ussd(["bogus"], shortcodes=[]),
    "CAPP_RATE_SOURCES": lambda: build_rate_sources({}, names=["bogus"]),
}


@pytest.mark.parametrize("variable", NOBODY)
def test_a_company_nobody_knows_is_refused_by_who_named_it(variable: str) -> None:
    with pytest.raises(SenselessSettings, match=f"^{variable}: no such .*'bogus'; known: "):
        NOBODY[variable]()


def test_an_operator_nobody_knows_ends_a_command_in_a_sentence(run: Run) -> None:
    said = run("addresses", CAPP_OPERATORS="bogus")
    assert said.startswith("capp: CAPP_OPERATORS: no such operator: 'bogus'; known: ")


@pytest.mark.parametrize("variable", NOBODY)
def test_the_web_process_is_not_started_for_a_company_nobody_knows(run: Run, variable: str) -> None:
    said = run("serve", **{variable: "bogus"})
    assert said.startswith(f"capp: {variable}: no such ")
    assert said.count("\n") == 1


def test_the_web_process_is_not_started_under_a_code_that_nobody_dials(run: Run) -> None:
    said = run("serve", CAPP_SHORTCODES="*384*96#,12")
    assert said == "capp: CAPP_SHORTCODES: nobody dials '12'; write *384*96#\n"


@pytest.mark.parametrize("command", ["serve", "worker"])
@pytest.mark.parametrize(
    ("name", "value"),
    [("CAPP_MTN_UG_CONNECTIONS", "many"), ("CAPP_PUBLIC_URL", "https://pay.example.org/mpesa"),
     ("CAPP_AFRICASTALKING_API_KEY", "")],
)  # fmt: skip
def test_both_processes_say_of_an_adapters_variable_what_every_command_says(
    run: Run, caplog: pytest.LogCaptureFixture, command: str, name: str, value: str
) -> None:
    """Those are read inside the web server, which told of them with its own trace and code."""
    with pytest.raises(MissingSettings) as lacking:
        build_operators({}, clock=Clock(), names=["mpesa_ke", "mtn_ug"])
    wanted = {one: plausible(one) for one in lacking.value.names}
    sms = {f"CAPP_AFRICASTALKING_{word}": "x" for word in ("API_KEY", "USERNAME")}
    sms["CAPP_AFRICASTALKING_BASE_URL"] = "http://127.0.0.1:1"
    said = run(command, **{**wanted, **sms, name: value})
    assert said.startswith("capp: ") and name in said and said.count("\n") == 1
    assert not any(r.exc_info or "Traceback" in r.getMessage() for r in caplog.records)


@pytest.mark.parametrize(
    ("name", "value"),
    [("CAPP_MTN_UG_CONNECTIONS", "many"), ("CAPP_MPESA_KE_SHORTCODE", "abc"),
     ("CAPP_MPESA_KE_CERTIFICATE", "/nope")],
)  # fmt: skip
def test_what_an_adapter_cannot_use_is_refused_by_its_variable(name: str, value: str) -> None:
    names = ["mpesa_ke", "mtn_ug"]
    with pytest.raises(MissingSettings) as lacking:
        build_operators({}, clock=Clock(), names=names)
    environment = {one: plausible(one) for one in lacking.value.names} | {name: value}
    with pytest.raises(SenselessSettings, match=name[:12]):
        build_operators(environment, clock=Clock(), names=names)


async def test_doctor_finds_a_rate_source_nobody_knows() -> None:
    assert await CHECKS["rates"](read_settings(GOOD)) == "the table of `capp seed`"
    with pytest.raises(SenselessSettings, match="CAPP_RATE_SOURCES"):
        await CHECKS["rates"](read_settings({**GOOD, "CAPP_RATE_SOURCES": "bogus"}))


@pytest.mark.parametrize("text", ["a: [", "polling: 7", "statements: {usual: x}", None])
async def test_a_file_of_reconciliation_that_is_none_is_refused_by_its_variable(
    tmp_path: Path, text: str | None
) -> None:
    file = tmp_path / "reconciliation.yaml"
    if text is not None:
        file.write_text(text)
    settings = read_settings({**GOOD, OTHER_FILE: str(file)})
    with pytest.raises(BadSettings, match=f"^{OTHER_FILE}: "):
        await CHECKS["reconciliation"](settings)
    with pytest.raises(BadSettings, match=f"^{OTHER_FILE}: "):
        read_polling(settings)
        read_statement_terms(settings)


@pytest.mark.parametrize(
    "address",
    ["pay.example.org", "ftp://pay.example.org", "https://", "https:///x", "https://a b.org",
     "https://u:p@pay.example.org", "https://pay.example.org?x=1", "https://pay.example.org#x"],
)  # fmt: skip
def test_a_public_address_that_nobody_can_call_is_refused(run: Run, address: str) -> None:
    for command in ("doctor", "serve", "worker", "addresses"):
        said = run(command, CAPP_PUBLIC_URL=address)
        assert said == "capp: CAPP_PUBLIC_URL: wants http(s)://host[:port][/path]\n"


@pytest.mark.parametrize(
    "address",
    ["https://pay.example.org/capp", "http://127.0.0.1:8080", "https://[::1]:8443/t/duka"],
)
def test_a_public_address_may_have_a_port_and_a_path(address: str) -> None:
    assert read_settings({**GOOD, "CAPP_PUBLIC_URL": address + "/"}).public_url == address


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (FileNotFoundError(2, "No such file or directory", "a.csv"), "a.csv: No such file"),
        (ConnectionRefusedError(111, "Connect call failed ('h', 1)"), "Postgres cannot be reached"),
        (TimeoutError(), "Postgres cannot be reached: no answer"),
        (BrokenPipeError(32, "Broken pipe"), "Broken pipe"),
        (OSError(28, "No space left on device"), "No space left on device"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else "",
)
def test_what_fails_outside_is_told_without_its_number(error: OSError, said: str) -> None:
    assert cli._sentence(error).startswith(said)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["customer", "+254712000001", "--tier", "9"], "there are the tiers 0, 1, 2"),
        (["customer", "+254712000001", "--born", "1.1.1990"], "no day like 1990-12-31"),
        (["customer", "+254712000001", "--name", "="], "a name begins with a letter"),
        (["lists", "check", ""], "a name begins with a letter"),
        (["lists", "load", "--kind", "eu", "f.xml"], "choose from 'ofac_sdn', 'un'"),
        (["rebalance", "--days", "-3"], "'-3' is no number of days"),
        (["propose", "TOPUP", "--as", "a", "--why", "b"], "choose from 'TOP_UP'"),
    ],
    ids=lambda value: " ".join(value[:3]) if isinstance(value, list) else "",
)
def test_a_word_that_is_none_is_told_with_what_is(run: Run, words: list[str], said: str) -> None:
    told = run(*words)
    assert said in told
    assert "read_" not in told


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--history", "-1"], "'-1' is no number from 1 to 9999"),
        (["--history", "0"], "'0' is no number from 1 to 9999"),
    ],
)
def test_how_many_decisions_of_a_rate_are_shown_is_a_number_above_zero(
    run: Run, words: list[str], said: str
) -> None:
    assert said in run("rates", *words)


@pytest.mark.parametrize(
    "words",
    [
        ["customer", "+254712000001", "--tier", "1", "--name", "Jane Doe", "--born"],
        ["lists", "check", "Jane Doe", "--born"],
    ],
)
def test_a_birth_that_is_still_to_come_is_a_slip(run: Run, words: list[str]) -> None:
    """Who resembles somebody of a list is not taken for them when the births differ."""
    tomorrow = (Clock().now() + timedelta(days=1)).date().isoformat()
    for day in (tomorrow, "2085-03-01"):
        assert f"nobody was born on {day}: it is still to come" in run(*words, day)
