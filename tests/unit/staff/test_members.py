import pytest

from engine.desk.proposals import Person
from engine.errors import StaffMistake
from engine.staff.members import Member, MemberId, Role, Session, SessionId, read_roles, write_roles


def test_roles_are_read_and_written_in_one_order() -> None:
    assert read_roles(" finance,Support ") == {Role.SUPPORT, Role.FINANCE}
    assert write_roles({Role.FINANCE, Role.SUPPORT}) == "support,finance"
    assert read_roles(write_roles(Role)) == set(Role)


@pytest.mark.parametrize("text", ["", ",", "root", "support,root", "support finance"])
def test_what_is_no_role_is_refused(text: str) -> None:
    with pytest.raises(StaffMistake, match="support, finance, compliance, admin"):
        read_roles(text)


@pytest.mark.parametrize(
    ("now_ms", "ended_ms", "is_open"),
    [(999, None, False), (1000, None, True), (1999, None, True), (2000, None, False),
     (1500, 1400, False)],
)  # fmt: skip
def test_a_session_is_open_from_its_beginning_until_it_ends(
    now_ms: int, ended_ms: int | None, is_open: bool
) -> None:
    member = Member(MemberId("1" * 32), Person("ada"), frozenset(Role))
    session = Session(SessionId("2" * 32), member, 1000, 2000, ended_ms)
    assert session.is_open(now_ms) is is_open
