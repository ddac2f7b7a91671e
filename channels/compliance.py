"""Compliance put together from settings, for the processes and for the commands of staff."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import msgspec

from channels.settings import Settings
from engine.clock import Clock
from engine.compliance.clearance import CLIENT, OPERATOR, STAFF, Seen, seen_in
from engine.compliance.compliance import Compliance
from engine.compliance.history import HistoryStore
from engine.compliance.lists.listed import Source
from engine.compliance.lists.store import ListStore
from engine.compliance.policy import POLICY_FILE, Policy, read_policy
from engine.compliance.profiles import Profiles
from engine.compliance.screening import Screener
from engine.decisions import Decision, Kind

LISTS_REFRESH_SECONDS = 5.0
_BY = {
    STAFF: "staff", OPERATOR: "the wallet's operator", CLIENT: "the client that asks for it",
}  # fmt: skip


def policy_of(settings: Settings) -> Policy:
    """The house's figures. Raises OSError, or msgspec.ValidationError naming the figure."""
    return read_policy(Path(settings.compliance_file or POLICY_FILE))


def build_screener(settings: Settings, policy: Policy, pool: Any, clock: Clock) -> Screener:
    """The lists; `refresh` it before the first question, and `keep_fresh` after.

    Where screening is required every list that we can read is expected to be loaded.
    """
    return Screener(
        build_lists(settings, policy, pool), policy.screening, clock,
        expected=tuple(Source) if settings.screening_required else (),
    )  # fmt: skip


def build_lists(settings: Settings, policy: Policy, pool: Any) -> ListStore:
    """The versions of the lists."""
    percent = policy.screening.list_smaller_percent_min
    return ListStore(pool, settings.tenant, smaller_percent_min=percent)


def build_compliance(
    settings: Settings,
    policy: Policy,
    screener: Screener,
    pool: Any,
    note: Callable[[Decision], None],
) -> Compliance:
    """The rules. `note` hears of every refusal: no payment keeps it."""
    return Compliance(
        policy=policy,
        screener=screener,
        history=HistoryStore(pool, settings.tenant),
        profiles=Profiles(pool, settings.tenant),
        is_screening_required=settings.screening_required,
        note=note,
    )


async def explain(settings: Settings, pool: Any, decisions: Sequence[Decision]) -> list[list[str]]:
    """What staff read of each decision beside its reason: whom somebody resembles, and why there
    is a rule. Nothing of what compliance did not decide, or decided in another release's words.

    The lists are read only where somebody resembles an entry: it takes seconds. The sentences hold
    names of listed people. Raises as `policy_of` does.
    """
    seen = [_seen_in(decision) for decision in decisions]
    if not any(s is not None and (s.resemblances or s.hits) for s in seen):
        return [[] for _ in decisions]
    policy = policy_of(settings)
    screener = build_screener(settings, policy, pool, Clock())
    if any(s is not None and s.resemblances for s in seen):
        await screener.refresh()
    compliance = build_compliance(settings, policy, screener, pool, lambda _: None)
    return [
        compliance.explain(decision) if s is not None else []
        for decision, s in zip(decisions, seen, strict=True)
    ]


async def names_of(settings: Settings, pool: Any, quote_id: str) -> list[str]:
    """By which names a payment was held or refused last, and whose word they are, in sentences.

    Personal: for the screen of who decides about it, not for a log.
    """
    named = await HistoryStore(pool, settings.tenant).names_of(quote_id)
    return [f"{each.who} is named {each.name} by {_BY[each.named_by]}" for each in named]


def _seen_in(decision: Decision) -> Seen | None:
    if decision.kind is not Kind.COMPLIANCE:
        return None
    try:
        return seen_in(decision)
    except msgspec.ValidationError:
        return None  # its reason says what it rested on
