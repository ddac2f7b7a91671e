"""The customers of simulated worlds."""

from typing import NamedTuple

from engine.clock import CustomerId
from engine.customers.customers import Customer
from engine.msisdn import Msisdn


class Person(NamedTuple):
    """A customer, and the network that serves the dial."""

    customer: Customer
    network: str


PEOPLE = [
    Person(Customer(CustomerId(f"{n:032x}"), Msisdn(number), country, "en", 0), network)
    for n, (number, country, network) in enumerate(
        [(f"+25471200000{n}", "KE", "63902") for n in range(6)]
        + [(f"+25677200000{n}", "UG", "64110") for n in range(6)],
        1,
    )
]
