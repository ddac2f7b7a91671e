"""`capp decisions` shows what was decided about a payment, and finds what would differ now."""

import argparse
from dataclasses import dataclass, field
from typing import Any

import msgspec
import pytest

from channels.commands.decisions import add_arguments, show_decisions
from engine.clock import AttemptId, Clock, CustomerId, Ids, PaymentId
from engine.compliance.clearance import OPERATOR, STAFF, Resemblance, Seen, Thresholds, clear
from engine.compliance.history import HistoryStore, Named, Question
from engine.compliance.lists.listed import Source
from engine.compliance.lists.store import ListStore
from engine.compliance.matching import BirthSays, Match
from engine.compliance.risk import Hit
from engine.decision_log import DecisionLog
from engine.decisions import Decision, Kind
from engine.msisdn import Msisdn
from engine.payments.facts import Ending, Facts, write
from engine.payments.lifecycle import State
from engine.payments.payment import code_of
from tests.integration.world import settings_for
from tests.unit.compliance.lists_of_nobody import sdn
from tests.unit.payments.candidates import candidate, ranked
from tests.unit.payments.examples import quote

ROUTE = ranked(candidate(), candidate("airtel_ug")).decision
CLEARED = clear(
    Seen(Thresholds(80, 95, 50, 100), lists={"ofac": 3}, collected=False, named=("payer",)), None
).decision
LIKENESS = Match(Source.OFAC_SDN, "90001", 1, 95, BirthSays.NOTHING)
RATE = Decision(Kind.RATE, "refund", "the quote's rate no longer holds", {"now": 2, "pay_until": 1})


@dataclass
class Kept:
    """A payment with decisions in two of its rows, and one more about it in the log."""

    database_url: str
    pool: Any
    payment_id: PaymentId
    said: list[str] = field(default_factory=list)

    async def run(self, *arguments: str) -> bool:
        parser = argparse.ArgumentParser()
        add_arguments(parser)
        self.said.clear()
        settings = settings_for(self.database_url)
        return await show_decisions(settings, parser.parse_args(arguments), self.said.append)

    async def step(self, version: int, facts: str | None) -> None:
        await self.pool.execute(
            "insert into journal (payment, version, tenant, state, at_ms, debits, credits, amounts,"
            " facts) values ($1, $2, 1, $3, 0, '{}', '{}', '{}', $4)",
            self.payment_id, version, State.PAID, facts,
        )  # fmt: skip


@pytest.fixture
async def kept(database_url: str, pool: Any) -> Kept:
    ids = Ids(Clock())
    here = Kept(database_url, pool, ids.payment())
    await pool.execute(
        "insert into payment (id, tenant, state, version, way, terms) values ($1, 1, $2, 3, 0, 1)",
        here.payment_id,
        State.COLLECTING,
    )
    quoted = msgspec.structs.replace(quote(), decisions=(ROUTE,))
    facts = Facts(quoted, 1, CustomerId("c" * 32), CLEARED)
    await here.step(1, write(facts))
    await here.step(2, None)
    await here.step(3, write(Ending(AttemptId("a" * 32), True, "ok", 1, decisions=(RATE,))))
    opened = Decision(Kind.RESTORED, "hold", "the database was restored", {})
    await DecisionLog(pool, 1, ids).keep([opened], here.payment_id)
    return here


async def test_everything_about_a_payment_is_shown_in_its_order(kept: Kept) -> None:
    code = code_of(kept.payment_id)
    for name in (code, code.lower(), kept.payment_id):
        assert await kept.run("--payment", name)
        assert [line.split()[1:3] for line in kept.said] == [
            [code, "route"], [code, "compliance"], [code, "rate"], [code, "restored"],
        ]  # fmt: skip
    assert kept.said[0].endswith("mtn_ug>airtel_ug: best")


async def held(kept: Kept, *found: Resemblance, hits: tuple[Hit, ...] = ()) -> None:
    seen = Seen(
        Thresholds(80, 95, 50, 100), lists={"ofac_sdn": 1}, collected=True, named=("payer",),
        resemblances=found, hits=hits,
    )  # fmt: skip
    await DecisionLog(kept.pool, 1, Ids(Clock())).keep(
        [clear(seen, None).decision], kept.payment_id
    )


async def test_who_decides_about_a_hold_reads_whom_somebody_resembles_and_why_there_is_a_rule(
    kept: Kept,
) -> None:
    await ListStore(kept.pool, 1, smaller_percent_min=80).load(sdn(), 1)
    await held(kept, Resemblance("payer", LIKENESS), hits=(Hit("many_in_an_hour", 20),))
    assert await kept.run("--payment", code_of(kept.payment_id))
    told = "\n".join(kept.said)
    assert "hold: payer resembles ofac_sdn:90001 name 1 with 95 of 100" in told
    assert "  ofac_sdn:90001 is " in told
    assert "the name that resembles is Mohammed Kassem AL-ZUBAIDI" in told
    assert "  many_in_an_hour: several payments within an hour" in told


async def test_who_decides_about_a_hold_reads_by_which_name_and_whose_word_it_is(
    kept: Kept,
) -> None:
    seen = Seen(
        Thresholds(80, 95, 50, 100), lists={"ofac_sdn": 1}, collected=False, named=("payer",),
        resemblances=(Resemblance("payee", LIKENESS, OPERATOR),), told=("payee",),
    )  # fmt: skip
    terms = quote()
    question = Question(
        terms.quote_id, Clock().now(), Msisdn(terms.payer), Msisdn(terms.payee), terms.amount,
        terms.receives,
    )  # fmt: skip
    assert await kept.run("--payment", code_of(kept.payment_id))
    assert not any("is named" in line for line in kept.said)
    named = [Named("payer", STAFF, "Amina Wanjiru"), Named("payee", OPERATOR, "M Kassem Zubaidi")]
    await HistoryStore(kept.pool, 1).keep(question, clear(seen, None), named)
    assert await kept.run("--payment", code_of(kept.payment_id))
    assert "payer is named Amina Wanjiru by staff" in kept.said
    assert "payee is named M Kassem Zubaidi by the wallet's operator" in kept.said
    assert await kept.run("--payment", code_of(kept.payment_id), "--replay")
    assert not any("is named" in line for line in kept.said)


async def test_an_entry_that_is_listed_no_more_is_told_by_its_number_alone(kept: Kept) -> None:
    await held(kept, Resemblance("payee", LIKENESS))
    assert await kept.run("--payment", code_of(kept.payment_id))
    assert any("payee resembles ofac_sdn:90001" in line for line in kept.said)
    assert not any(line.startswith("  ofac_sdn") for line in kept.said)


async def test_a_payment_nobody_knows_is_said_to_be_none(kept: Kept) -> None:
    for name in ("0" * 10, "U" * 10, "short"):
        assert not await kept.run("--payment", name)
        assert kept.said == [f"no payment {name}"]


async def test_the_last_hour_is_shown_with_what_was_seen(kept: Kept) -> None:
    assert await kept.run("--inputs")
    assert len(kept.said) == 8
    assert msgspec.json.decode(kept.said[3])["named"] == ["payer"]
    assert await kept.run("--since", "2999-01-01")
    assert kept.said == []


async def test_a_rate_is_told_with_its_pair_and_a_cut_is_told_too(kept: Kept) -> None:
    rate = Decision(Kind.RATE, "28.45", "the median", {"base": "KES", "quote": "UGX"})
    await DecisionLog(kept.pool, 1, Ids(Clock())).keep([rate])
    assert await kept.run()
    assert kept.said[-1].split()[1:3] == ["KES/UGX", "rate"]
    assert await kept.run("--most", "1")
    assert kept.said[-1].startswith("there may be more: the oldest 1 steps")
    with pytest.raises(SystemExit):
        await kept.run("--most", "0")


async def test_what_is_decided_the_same_again_is_counted(kept: Kept) -> None:
    assert await kept.run("--replay")
    assert kept.said == ["3 decided again, 0 differ, 1 without a replay"]


async def test_what_comes_out_differently_is_listed_and_is_a_failure(kept: Kept) -> None:
    spoilt = msgspec.structs.replace(ROUTE, outcome="airtel_ug>mtn_ug")
    await DecisionLog(kept.pool, 1, Ids(Clock())).keep([spoilt])
    assert not await kept.run("--replay")
    assert kept.said[0].endswith("airtel_ug>mtn_ug: best")
    assert kept.said[1:] == [
        "  now: mtn_ug>airtel_ug: best",
        "4 decided again, 1 differ, 1 without a replay",
    ]
