"""A number with a fresh SIM, through both processes: what is held, who sees why, what follows."""

import asyncio
import re

from simulator.stack import Stack
from tests.e2e.city import City


async def staff(stack: Stack, *arguments: str) -> str:
    done = await asyncio.to_thread(stack.command, *arguments)
    assert done.returncode == 0, done.stderr
    return done.stdout


async def test_two_people_let_a_payment_of_a_fresh_sim_go_on(city: City, stack: Stack) -> None:
    payer, payee = city.newcomer("KE"), city.newcomer("UG")
    await city.admin.change_sim(payer.msisdn, 2)
    code = await city.pay(payer, payee, 500)
    await city.reaches(payer, "ON_HOLD")
    assert not await city.movements(payee)
    why = "the payer's SIM was changed 2 hours before, as mpesa_ke tells"
    assert why in await staff(stack, "decisions", "--payment", code)
    assert why in await staff(stack, "cases", "--kind", "ON_HOLD")
    told = await staff(stack, "customer", payer.msisdn, "--sim")
    assert re.search(r"SIM: changed .* UTC, 2 hours ago", told), told
    proposed = await staff(
        stack, "propose", "RELEASE_HOLD", f"payment={code}", "--why", "called back", "--as", "amina"
    )
    await staff(stack, "approve", proposed.split()[0], "--as", "brian")
    await city.ends(payer, "PAID")
    await city.told(payee, f"{code} Confirmed. You have received")


async def test_an_operator_that_is_silent_about_sims_delays_nobody_for_long(city: City) -> None:
    payer, payee = city.newcomer("KE"), city.newcomer("UG")
    await city.arm(payer, "sim_swap", "hang_before", seconds=20.0)
    await city.pay(payer, payee, 500)
    await city.ends(payer, "PAID")
    assert not await city.is_armed(payer)
