"""Every table that holds something about people, and how a row of it is brought up to date. Pure.

The list `HOLDINGS` is what `capp data seal` walks; the guard in `tests/integration/test_privacy.py`
finds what is missing in it. The journal is not there: nothing that is written in it ever changes.
"""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from engine.errors import Tampered
from engine.privacy.codec import TOMBSTONE, is_index, read_sealed
from engine.privacy.places import (
    answer_place,
    answered_place,
    asked_place,
    body_place,
    counterparty_place,
    evidence_place,
    name_place,
    names_place,
    number_place,
    pay_in_payer_place,
    pay_in_place_before,
    pay_in_reference_place,
    payer_place,
    payload_place,
    people_place,
    quote_place,
    recipient_name_place,
    recipient_place,
    recipient_place_before,
    reference_place,
    requester_place,
    traffic_place_before,
)
from engine.privacy.seals import Seals, open_moved

Changes = dict[str, str | bytes]


class Aging(NamedTuple):
    """A row as it is stored, next to the keys that are in force. `version`: of the data key."""

    seals: Seals
    version: int
    row: Mapping[str, Any]

    def text(self, column: str, place: str) -> Changes:
        """A value that is sealed in its own column."""
        kept = self.row[column]
        if not kept or kept.startswith(TOMBSTONE) or self._is_fresh(kept):
            return {}
        return {column: self.seals.seal(self.seals.open(kept, place), place)}

    def moved(self, column: str, place: str, before: str) -> Changes:
        """The same where two columns shared the place `before`: it is moved to its own."""
        kept = self.row[column]
        if not kept or (self._is_fresh(kept) and self._stands_at(place, kept)):
            return {}
        return {column: self.seals.seal(open_moved(self.seals, kept, place, before), place)}

    def body(self, column: str, place: str) -> Changes:
        """The same of bytes that are a text."""
        kept = self.row[column]
        if kept is None or self._is_fresh(text := kept.decode()):
            return {}
        return {column: self.seals.seal(self.seals.open(text, place), place).encode()}

    def marked(self, column: str) -> Changes:
        """A number that only has to be found."""
        kept = self.row[column]
        return (
            {} if is_index(kept) or kept.startswith(TOMBSTONE) else {column: self.seals.index(kept)}
        )

    def number(self, column: str, beside: str, place: str) -> Changes:
        """A number that is found by its own column and read back from the one beside it."""
        changes = self.marked(column)
        if changes:
            return {**changes, beside: self.seals.seal(self.row[column], place)}
        return self.text(beside, place)

    def _stands_at(self, place: str, kept: str) -> bool:
        try:
            self.seals.open(kept, place)
        except Tampered:
            return False
        return True

    def _is_fresh(self, kept: str) -> bool:
        sealed = read_sealed(kept)
        return sealed is not None and sealed.version == self.version


ALL = "true"


class Holding(NamedTuple):
    """One table. `key` is its primary key without the tenant, with the types of its columns;
    `columns` are those that hold something, `beside` those that name its place.
    """

    table: str
    key: tuple[tuple[str, str], ...]
    columns: tuple[str, ...]
    renew: Callable[[Aging], Changes]
    beside: tuple[str, ...] = ()
    only: str = ALL  # in SQL, of a table that has more; {version} is that of the data key


def _customer(aging: Aging) -> Changes:
    id_ = aging.row["id"].hex
    number = aging.number("msisdn", "msisdn_sealed", number_place(id_))
    return number | aging.text("name", name_place(id_))


def _recipient(aging: Aging) -> Changes:
    customer_id, kept = aging.row["customer_id"].hex, aging.row["msisdn"]
    before = recipient_place_before(customer_id, kept)
    name_place = recipient_name_place(customer_id, kept)
    if is_index(kept):
        number = aging.moved("msisdn_sealed", recipient_place(customer_id, kept), before)
        return number | aging.moved("name", name_place, before)
    index = aging.seals.index(kept)
    name = open_moved(aging.seals, aging.row["name"], name_place, before)
    number = aging.number("msisdn", "msisdn_sealed", recipient_place(customer_id, index))
    return number | {"name": aging.seals.seal(name, recipient_name_place(customer_id, index))}


def _money_request(aging: Aging) -> Changes:
    id_ = aging.row["id"].hex
    payer = aging.number("payer", "payer_sealed", payer_place(id_))
    return payer | aging.text("requester_msisdn", requester_place(id_))


def _clearance(aging: Aging) -> Changes:
    payer, payee = aging.row["payer"], aging.row["payee"]
    quote_id = aging.row["quote"].hex
    place, names = people_place(quote_id), aging.text("names_sealed", names_place(quote_id))
    if is_index(payer):
        return aging.text("people_sealed", place) | names
    people = aging.seals.seal(f"{payer} {payee}", place)
    return aging.marked("payer") | aging.marked("payee") | {"people_sealed": people} | names


def _answer(aging: Aging) -> Changes:
    return aging.body("answer", answer_place(aging.row["operation"].hex))


def _outbox(aging: Aging) -> Changes:
    """What names a sentence, or a time, holds nothing about anybody; the rest is JSON."""
    kept = aging.row["payload"] or ""
    if not kept.startswith("{") and read_sealed(kept) is None:
        return {}
    return aging.text("payload", payload_place(_id(aging)))


_ID = (("id", "uuid"),)

HOLDINGS = (
    Holding("customer", _ID, ("msisdn", "msisdn_sealed", "name"), _customer),
    Holding(
        "recipient", (("customer_id", "uuid"), ("msisdn", "text")),
        ("msisdn", "msisdn_sealed", "name"), _recipient,
    ),
    Holding("ported_number", _ID, ("msisdn",), lambda aging: aging.marked("msisdn")),
    Holding(
        "sms_opt_out", (("msisdn", "text"),), ("msisdn",), lambda aging: aging.marked("msisdn")
    ),
    Holding(
        "money_request", _ID, ("payer", "payer_sealed", "requester_msisdn"), _money_request
    ),
    Holding(
        "clearance", (("quote", "uuid"),), ("payer", "payee", "people_sealed", "names_sealed"),
        _clearance,
    ),
    Holding(
        "evidence", (("attempt", "uuid"), ("hash", "uuid")), ("body",),
        lambda aging: aging.text("body", evidence_place(aging.row["attempt"].hex)),
    ),
    Holding("outbox", _ID, ("payload",), _outbox),
    Holding(
        "traffic", _ID, ("asked", "answered"),
        lambda aging: aging.moved(
            "asked", asked_place(_id(aging)), traffic_place_before(_id(aging))
        )
        | aging.moved("answered", answered_place(_id(aging)), traffic_place_before(_id(aging))),
    ),
    Holding(
        "proposal", _ID, ("body",), lambda aging: aging.text("body", body_place(_id(aging)))
    ),
    Holding(
        "client_quote", (("client", "uuid"), ("key", "text"), ("id", "uuid")), ("quote",),
        lambda aging: aging.text("quote", quote_place(_id(aging))),
    ),
    Holding(
        "client_request", (("client", "uuid"), ("key", "text")), ("answer",), _answer,
        ("operation",),
    ),
    Holding(
        "staff_request", (("member", "uuid"), ("key", "text")), ("answer",), _answer,
        ("operation",),
    ),
    Holding(
        "pay_in", _ID, ("payer", "reference"),
        lambda aging: aging.moved(
            "payer", pay_in_payer_place(_id(aging)), pay_in_place_before(_id(aging))
        )
        | aging.moved(
            "reference", pay_in_reference_place(_id(aging)), pay_in_place_before(_id(aging))
        ),
    ),
    Holding(
        "statement_line", _ID, ("counterparty", "reference"),
        lambda aging: aging.text("counterparty", counterparty_place(_id(aging)))
        | aging.text("reference", reference_place(_id(aging))),
    ),
)  # fmt: skip


def _id(aging: Aging) -> str:
    found: str = aging.row["id"].hex
    return found
