"""Which operators serve a payment. Pure: numbers, hints and what we can call, in; a route, out."""

from collections.abc import Mapping
from typing import NamedTuple

from engine.errors import CustomerMistake, NoWayNow, TextKey
from engine.money import CURRENCY_OF_COUNTRY, Money
from engine.msisdn import Msisdn, Prefixes, country_of
from engine.ports import OperatorFacts


class Ways(NamedTuple):
    """The operators at the two ends of a payment.

    `payee` is the wallet's own operator, or where we cannot call that one the first that pays into
    its wallets; `payouts` are all who can, `payee` among them. Which of them does, and in which
    order they are tried, is decided by `ranking`.
    """

    payer: OperatorFacts
    payee: OperatorFacts
    wallet: str  # whose wallet the payee's number is, by name
    payouts: tuple[OperatorFacts, ...]


class Directory:
    """The operators this process can call, and how a number leads to one."""

    def __init__(
        self,
        operators: Mapping[str, OperatorFacts],
        prefixes: Prefixes,
        networks: Mapping[str, str],
    ) -> None:
        """`networks` maps a gateway's network code to an operator's name: who served the dial."""
        self.by_name = dict(operators)
        self.by_code = {facts.code: facts for facts in operators.values()}
        if len(self.by_code) != len(self.by_name):
            raise ValueError("two operators share a code")
        self._prefixes = prefixes
        self._networks = dict(networks)
        self._countries = prefixes.countries | {n: f.country for n, f in self.by_name.items()}

    def payer_operator(self, payer: Msisdn, network: str) -> str | None:
        """The network that served the dial is a better hint than the prefix: numbers are ported."""
        return self._networks.get(network) or self._prefixes.operator_of(payer)

    def payer_currency(self, payer: Msisdn, network: str) -> str | None:
        """What the wallet holds that would be collected from, and where we cannot call its operator
        its country's money; None for a country that nobody pays from.
        """
        facts = self.by_name.get(self.payer_operator(payer, network) or "")
        return facts.currency if facts else CURRENCY_OF_COUNTRY.get(country_of(payer) or "")

    def payee_operator(self, payee: Msisdn) -> str | None:
        """By prefix alone; None for a range nobody listed."""
        return self._prefixes.operator_of(payee)

    def network_operator(self, network: str) -> str | None:
        """Whose a network code is; None for one that nobody listed."""
        return self._networks.get(network)

    def country_of(self, operator: str) -> str | None:
        """ISO 3166 alpha-2; None for an operator that we have no word for, callable or not."""
        return self._countries.get(operator)

    def wallets_in(self, country: str) -> tuple[str, ...]:
        """Operators of a country (ISO 3166 alpha-2) whose wallets can be paid into, by name."""
        reached = {wallet for facts in self.by_name.values() for wallet in facts.reaches}
        ways = {name: self.payouts_to(name) for name in sorted({*self.by_name, *reached})}
        return tuple(name for name, found in ways.items() if found and found[0].country == country)

    def choose_ways(
        self, payer: Msisdn, network: str, payee: Msisdn, *, wallet: str | None = None
    ) -> Ways:
        """The operator at each end; `wallet` is the payee's where it is known better than by range.

        Raises CustomerMistake `mistake.own_number`, `mistake.operator_unknown` (no range known) or
        `mistake.operator_unsupported` (known, but we cannot pay there), NoWayNow `no_way.corridor`
        when the payer's own operator cannot be collected from.
        """
        if payer == payee:
            raise CustomerMistake("mistake.own_number")
        payer_facts = self.by_name.get(self.payer_operator(payer, network) or "")
        if payer_facts is None or not payer_facts.can_collect:
            raise NoWayNow("no_way.corridor")
        name = wallet or self.payee_operator(payee)
        if name is None:
            raise CustomerMistake("mistake.operator_unknown")
        payouts = self.payouts_to(name)
        if not payouts:
            raise CustomerMistake(
                "mistake.operator_unsupported", operator=TextKey(f"operator.{name}")
            )
        return Ways(payer_facts, payouts[0], name, payouts)

    def must_be_prompted(self, operator: str) -> None:
        """Raises NoWayNow `session.dial_instead` where only our PIN asks the payer.

        Said of every price that is asked for where no PIN can be typed: by SMS, by a client.
        """
        if not self.by_name[operator].prompts_payer:
            raise NoWayNow("session.dial_instead")

    def gives_back(self, payer_operator: str, amount: Money, *, has_receipt: bool) -> bool:
        """Whether it returns so much of what it collected (`OperatorFacts.gives_back`)."""
        return self.by_name[payer_operator].gives_back(amount, has_receipt=has_receipt)

    def refund_ways(self, payer_operator: str, amount: Money) -> tuple[OperatorFacts, ...]:
        """Who can pay that amount into the payer's wallet, in the order of `payouts_to`."""
        ways = self.payouts_to(payer_operator)
        return tuple(facts for facts in ways if facts.pays_out(amount))

    def payouts_to(self, wallet: str) -> tuple[OperatorFacts, ...]:
        """Who can pay into an operator's wallets: itself first, then who reaches it, by name.

        All in one currency: a quote promises one amount, whoever pays it.
        """
        own = self.by_name.get(wallet)
        reaching = [f for _, f in sorted(self.by_name.items()) if wallet in f.reaches and f != own]
        ways = [own, *reaching] if own is not None else reaching
        found = [facts for facts in ways if facts.can_disburse]
        return tuple(facts for facts in found if facts.currency == found[0].currency)
