"""What `capp payins list` says of many."""

import pytest

from channels.commands import payins
from engine.money import Money
from engine.payments.payins.judging import PayIn, Stage
from engine.ports import PaidIn


def test_a_list_of_pay_ins_that_is_cut_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(payins, "SHOWN_MAX", 1)
    paid = PaidIn("R1", Money(100, "KES"), "school fees", "")
    one = PayIn("0" * 32, "mpesa_ke", paid, Stage.SUSPENDED, 0)
    said: list[str] = []
    payins.say_pay_ins([one], said.append)
    assert len(said) == 1
    payins.say_pay_ins([one, one], said.append)
    assert said[1:] == [said[0], "... and more: these are the newest 1"]
