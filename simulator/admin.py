"""Client of the sandboxes' own door `/_sandbox`: wallets, prompts, faults, SMS in and out.

It is what a tester's hands reach; a real operator has no such door.
"""

from collections.abc import Sequence
from datetime import datetime

import httpx
import msgspec

from simulator.homes import currency_of, homes_of
from simulator.places import SMS_SHORTCODE, Places


class Prompt(msgspec.Struct, frozen=True):
    """An operator asks for the wallet's PIN. `sandbox` is the address of who asks."""

    id: str
    msisdn: str
    text: str
    sandbox: str = ""


class Wallet(msgspec.Struct, frozen=True):
    """A subscriber's account at one operator, as the sandbox keeps it."""

    msisdn: str
    balance_minor: int
    pin: str
    currency: str = ""
    name: str = ""  # whose it is, as the operator knows them


class Message(msgspec.Struct, frozen=True):
    """An SMS as the phone got it; `n` grows by one with every message of the gateway."""

    n: int
    text: str
    sender: str | None = msgspec.field(name="from", default=None)
    at: datetime | None = None  # when the gateway took it


class _Prompts(msgspec.Struct):
    prompts: list[Prompt]


class _Wallets(msgspec.Struct):
    wallets: list[Wallet]


class _Messages(msgspec.Struct):
    messages: list[Message]


class Admin:
    """The tester's hands. Every method raises httpx.HTTPError when a sandbox does not answer."""

    def __init__(self, client: httpx.AsyncClient, places: Places) -> None:
        self._client = client
        self._places = places

    async def prompts(self, msisdn: str) -> Sequence[Prompt]:
        """The prompts that wait for this subscriber, from all operators, oldest first."""
        found: list[Prompt] = []
        for url in self._places.operators.values():
            body = await self._get(f"{url}/_sandbox/prompts", msisdn=msisdn.removeprefix("+"))
            waiting = msgspec.json.decode(body, type=_Prompts).prompts
            found += [msgspec.structs.replace(prompt, sandbox=url) for prompt in waiting]
        return found

    async def approve(self, prompt: Prompt, pin: str) -> None:
        await self._send("POST", f"{prompt.sandbox}/_sandbox/prompts/{prompt.id}", {"pin": pin})

    async def decline(self, prompt: Prompt) -> None:
        await self._send(
            "POST", f"{prompt.sandbox}/_sandbox/prompts/{prompt.id}", {"decline": True}
        )

    async def confirm_page(self, page: str, msisdn: str, pin: str) -> None:
        """Open an operator's page and confirm it, as the holder of a wallet who has this PIN.

        Where the page wants a one-time code, the holder dials for one with the PIN first.
        """
        (await self._client.get(page)).raise_for_status()
        sandbox = "/".join(page.split("/")[:3])
        await self._wallet(sandbox, msisdn, {"pin": pin})
        told = await self._client.post(
            f"{sandbox}/_sandbox/otp", json={"msisdn": msisdn, "pin": pin}
        )
        form = {"msisdn": msisdn[4:], "otp": told.raise_for_status().json()["otp"]}
        (await self._client.post(page, data=form)).raise_for_status()

    async def set_pin(self, prompt: Prompt, pin: str) -> None:
        """Give the wallet that is being asked another PIN."""
        await self._wallet(prompt.sandbox, prompt.msisdn, {"pin": pin})

    async def set_balance(self, msisdn: str, balance_minor: int) -> None:
        """Put this much into the subscriber's wallet at each operator of the number's country."""
        for url in self._home_operators(msisdn):
            await self._wallet(url, msisdn, {"balance_minor": balance_minor})

    async def change_sim(self, msisdn: str, hours: float) -> None:
        """The number has another SIM since so many hours, as its country's operators know."""
        for url in self._home_operators(msisdn):
            await self._wallet(url, msisdn, {"sim_changed_hours": hours})

    async def rename(self, msisdn: str, name: str) -> None:
        """The subscriber's wallets are in this name, as those of its country's operators tell."""
        for url in self._home_operators(msisdn):
            await self._wallet(url, msisdn, {"name": name})

    async def wallet(self, msisdn: str) -> Wallet | None:
        """The subscriber's wallet at home, if an operator has seen the number yet."""
        for url in self._home_operators(msisdn):
            if wallet := await self.wallet_at(url, msisdn):
                return wallet
        return None

    async def open_wallet(self, msisdn: str) -> None:
        """Have the number's own operator know it, if it is here; a repeat changes nothing."""
        for url in self._home_operators(msisdn)[:1]:
            await self._wallet(url, msisdn, {})

    async def wallet_at(self, url: str, msisdn: str) -> Wallet | None:
        """The subscriber's wallet at the operator whose sandbox this is, if it knows the number."""
        body = await self._get(f"{url}/_sandbox/wallets")
        for wallet in msgspec.json.decode(body, type=_Wallets).wallets:
            if wallet.msisdn == msisdn.removeprefix("+"):
                return msgspec.structs.replace(wallet, currency=currency_of(msisdn))
        return None

    async def holders(self) -> set[str]:
        """The names of everybody who has a wallet at any operator."""
        found: set[str] = set()
        for url in self._places.operators.values():
            body = await self._get(f"{url}/_sandbox/wallets")
            found |= {wallet.name for wallet in msgspec.json.decode(body, type=_Wallets).wallets}
        return found - {""}

    async def set_fault(
        self,
        sandbox: str,
        *,
        on: str,
        fault: str,
        times: int,
        msisdn: str | None,
        seconds: float | None = None,
    ) -> None:
        """Make a sandbox fail, by `seconds` where the fault takes time. Safe to repeat: it fails
        the more often. Raises KeyError for a name nobody has.
        """
        body: dict[str, object] = {"on": on, "fault": fault, "times": times}
        if msisdn is not None:
            body["msisdn"] = msisdn.removeprefix("+")
        if seconds is not None:
            body["seconds"] = seconds
        await self._send("POST", f"{self._places.sandbox(sandbox)}/_sandbox/faults", body)

    async def clear_faults(self, sandbox: str) -> None:
        await self._send("DELETE", f"{self._places.sandbox(sandbox)}/_sandbox/faults", None)

    async def messages(self, msisdn: str, *, after: int) -> Sequence[Message]:
        """The SMS this number got after message `after`, oldest first; none without a gateway."""
        if not self._places.gateway:
            return []
        url = f"{self._places.gateway}/_sandbox/sms"
        body = await self._get(url, to=msisdn, after=str(after))
        return msgspec.json.decode(body, type=_Messages).messages

    async def write_sms(self, msisdn: str, text: str) -> None:
        """This number writes to us; the gateway brings it to the server, soon and maybe twice."""
        if not self._places.gateway:
            raise httpx.UnsupportedProtocol("there is no SMS gateway here (--gateway names it)")
        body: dict[str, object] = {"from": msisdn, "to": SMS_SHORTCODE, "text": text}
        await self._send("POST", f"{self._places.gateway}/_sandbox/sms-in", body)

    def _home_operators(self, msisdn: str) -> Sequence[str]:
        operators = self._places.operators
        return [operators[name] for name in homes_of(msisdn, operators)]

    async def _wallet(self, url: str, msisdn: str, body: dict[str, object]) -> None:
        await self._send("PUT", f"{url}/_sandbox/wallets/{msisdn.removeprefix('+')}", body)

    async def _get(self, url: str, **query: str) -> bytes:
        try:
            response = await self._client.get(url, params=query)
        except httpx.RemoteProtocolError:  # a kept connection was closed at that very moment
            response = await self._client.get(url, params=query)
        return response.raise_for_status().content

    async def _send(self, method: str, url: str, body: dict[str, object] | None) -> None:
        response = await self._client.request(method, url, json=body)
        response.raise_for_status()
