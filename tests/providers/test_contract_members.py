"""Who is in the contract suite, and whether its checks can find what they look for.

An adapter that nobody entered there would be proven by nothing, and nothing would say so.
"""

import re
from dataclasses import fields

import pytest

from engine.ports import CallbackTrust, FixedAddressPort, SignedCallbackPort
from providers.http import no_trace
from providers.registry import SMS
from tests.providers.capability_table import all_ports
from tests.providers.conftest import HandClock
from tests.providers.subjects import SECRETS, Subject
from tests.providers.test_contract import KINDS, OPERATORS, SUBJECTS

NOWHERE = "http://127.0.0.1:1"
SECRET = re.compile(r"(^|_)(key|secret|password|passkey|passphrase|pin|token|credential)$")
NOT_LOOKED_FOR = frozenset({"encryption_key", "pin_key", "pin", "report_url"})
"""Two public keys; four digits, which stand in a time by chance; an address of our own."""


async def test_every_adapter_of_the_registry_is_in_this_suite(clock: HandClock) -> None:
    """By its class: a country more of a company is proven with the others."""
    ports = all_ports()
    built_here = [subject.build(NOWHERE, clock, no_trace) for subject in SUBJECTS]
    proven = {type(adapter) for adapter in built_here}
    missing = {port.facts.name: type(port).__name__ for port in ports if type(port) not in proven}
    assert missing == {}, (
        "each wants a Subject in subjects.py, or beside it, and in SUBJECTS of test_contract.py"
    )
    assert {*SMS} <= {subject.name for subject in SUBJECTS}
    lost = {subject.name for subject in OPERATORS} - KINDS.keys()
    assert lost == set(), "KINDS: under which kinds does it call back? () for none"
    for adapter in (*ports, *built_here):
        await adapter.aclose()


@pytest.mark.parametrize("subject", SUBJECTS, ids=lambda subject: subject.name)
def test_what_settings_hide_is_what_nothing_may_show(subject: Subject) -> None:
    """Else the checks of this suite that look for `SECRETS` find none of a company's own."""
    settings = subject.settings(NOWHERE)
    kept = {each.name: getattr(settings, each.name) for each in fields(settings) if not each.repr}
    texts = {name: text for name, text in kept.items() if isinstance(text, str) and text}
    for name in NOT_LOOKED_FOR:
        texts.pop(name, None)
    assert texts, f"{subject.name}: no field of its settings has repr=False"
    strangers = {name for name, text in texts.items() if not any(s in text for s in SECRETS)}
    assert strangers == set(), f"{subject.name}: put their values into SECRETS of subjects.py"
    shown = {each.name for each in fields(settings) if each.repr and SECRET.search(each.name)}
    assert shown == set(), f"{subject.name}: these want repr=False"


@pytest.mark.parametrize("subject", OPERATORS, ids=lambda subject: subject.name)
async def test_who_signs_callbacks_reads_what_proves_them(
    subject: Subject, clock: HandClock
) -> None:
    adapter = subject.build(NOWHERE, clock, no_trace)
    if adapter.facts.callback is CallbackTrust.SIGNED:
        assert isinstance(adapter, SignedCallbackPort | FixedAddressPort)
    await adapter.aclose()
