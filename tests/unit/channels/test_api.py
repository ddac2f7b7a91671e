"""The table of endpoints says one thing once, and a problem never changes its shape."""

from dataclasses import replace

import msgspec
import pytest

from channels.api.endpoints import AnyEndpoint, check_table
from channels.api.mmo import table_of
from channels.api.operators import Operators
from channels.api.problems import Code, Problem, Refusal, write_problem
from channels.api.proposals import Proposals
from channels.api.staff_sessions import StaffSessions
from channels.api.transactions import Transactions
from channels.settings import BadSettings, read_settings
from tests.unit.channels.test_settings import GOOD

TABLE: tuple[AnyEndpoint, ...] = table_of(
    Operators.__new__(Operators), Transactions.__new__(Transactions), Proposals.__new__(Proposals),
    StaffSessions.__new__(StaffSessions),
)  # fmt: skip


def test_the_table_is_sound() -> None:
    check_table(TABLE)


@pytest.mark.parametrize(
    "change",
    [
        lambda e: replace(e, what="other"),  # the same method and path twice
        lambda e: replace(e, path="/other"),  # the same name twice
        lambda e: replace(e, path="/x/{y}", what="other"),  # a word that nobody reads
        lambda e: replace(e, path="/other", what="other", grants=frozenset()),
    ],
)
def test_a_table_that_is_not_is_refused(change: object) -> None:
    assert callable(change)
    with pytest.raises(ValueError, match=r"twice|words of the path|for nobody"):
        check_table((*TABLE, change(TABLE[0])))


@pytest.mark.parametrize("endpoint", TABLE, ids=lambda e: e.what)
def test_every_type_of_the_table_can_be_described(endpoint: AnyEndpoint) -> None:
    """What an OpenAPI document will be made from."""
    schemas, _ = msgspec.json.schema_components(
        [endpoint.path_type, endpoint.query_type, endpoint.body_type, endpoint.answer_type]
    )
    assert len(schemas) == 4
    for taken in (endpoint.path_type, endpoint.query_type, endpoint.body_type):
        assert taken.__struct_config__.forbid_unknown_fields, taken
    assert endpoint.method in ("GET", "POST")
    assert endpoint.summary


@pytest.mark.parametrize("code", Code)
def test_every_problem_says_what_to_do_under_a_stable_code(code: Code) -> None:
    body = msgspec.json.decode(write_problem(Refusal(code), "c" * 32), type=Problem)
    assert body.type == f"urn:capp:problem:{body.code}"
    assert body.code == code.word == code.name.lower()
    assert (body.status, body.correlation_id) == (code.status, "c" * 32)
    assert body.title and body.what_to_do


def test_a_weak_key_for_tokens_is_refused_and_not_repeated() -> None:
    weak = ("00" * 32, "5ec7e7" * 11, "ab" * 16)
    for key in weak:
        with pytest.raises(BadSettings, match="CAPP_STAFF_KEYS") as caught:
            read_settings({**GOOD, "CAPP_STAFF_KEYS": f"1:{key}"})
        assert key not in str(caught.value)
    assert read_settings(GOOD).staff_keys == {}
