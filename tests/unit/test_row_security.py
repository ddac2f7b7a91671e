import pytest

from engine.row_security import as_tenant, role_of


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("postgresql://u:p@h:5432/capp", "postgresql://u:p@h:5432/capp?role=capp_tenant_7"),
        ("postgresql://h/capp?", "postgresql://h/capp?role=capp_tenant_7"),
        (
            "postgresql://h/capp?sslmode=verify-full&sslrootcert=/etc/a.pem",
            "postgresql://h/capp?sslmode=verify-full&sslrootcert=/etc/a.pem&role=capp_tenant_7",
        ),
        ("postgresql:///capp?host=/run/pg", "postgresql:///capp?host=/run/pg&role=capp_tenant_7"),
        ("postgresql://a,b:5433/capp", "postgresql://a,b:5433/capp?role=capp_tenant_7"),
    ],
)
def test_an_address_keeps_what_it_says_and_says_whose_role_it_is(url: str, expected: str) -> None:
    assert as_tenant(url, 7) == expected


@pytest.mark.parametrize("query", ["role=postgres", "role=capp_tenant_2&x=1", "x=1&role=none"])
def test_an_address_names_one_role_and_not_that_of_somebody_else(query: str) -> None:
    found = as_tenant(f"postgresql://h/capp?{query}", 7)
    assert [part for part in found.partition("?")[2].split("&") if "role" in part] == [
        "role=capp_tenant_7"
    ]


def test_it_may_be_said_twice() -> None:
    once = as_tenant("postgresql://h/capp", 7)
    assert as_tenant(once, 7) == once


def test_each_tenant_has_a_role() -> None:
    assert [role_of(tenant) for tenant in (0, 1, 21)] == [
        "capp_tenant_0", "capp_tenant_1", "capp_tenant_21",
    ]  # fmt: skip
