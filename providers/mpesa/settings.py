"""What an installation says of its Daraja app and its shortcodes, checked when it is read.

It knows no environment and no address of ours. Facts: reference `mpesa.md`, sections 1, 4, 8, 10.
"""

from dataclasses import dataclass, field
from typing import Literal, get_args

from providers.http import DEFAULT_TIMEOUTS, Timeouts
from providers.mpesa.answers import NAME

CONFIRM_ABOVE_MINOR = 1_000_000  # KES 10,000

PayoutVersion = Literal["v3", "v1"]
RefundWay = Literal["payout", "reversal"]
PayInVersion = Literal["v2", "v1"]
Unanswered = Literal["Cancelled", "Completed"]


@dataclass(frozen=True)
class MpesaSettings:
    """One Daraja app and its shortcodes. `certificate_pem` is Safaricom's (section 10).

    What `way.Way` names of them holds for what begins from then on; each attempt keeps its own.
    """

    base_url: str
    consumer_key: str = field(repr=False)
    consumer_secret: str = field(repr=False)
    shortcode: str
    passkey: str = field(repr=False)
    b2c_shortcode: str
    initiator: str
    initiator_password: str = field(repr=False)
    certificate_pem: bytes = field(repr=False)
    confirm_above_minor: int = CONFIRM_ABOVE_MINOR
    till: str = ""  # where payers pay into a till, `shortcode` is its head office (section 4)
    payout_version: PayoutVersion = "v3"  # v1 has nothing that protects a repeat (section 8)
    refund_by: RefundWay = "payout"
    pay_in_version: PayInVersion = "v2"  # v1: callbacks carry a hash of the payer's number
    # What M-PESA does with money that we were asked about and did not answer. Refused, nobody has
    # to be found afterwards whom it belongs to.
    pay_in_unanswered: Unanswered = "Cancelled"
    sim_swap: bool = False  # whether the app may ask when SIMs were changed
    timeouts: Timeouts = DEFAULT_TIMEOUTS
    connections: int = 100
    per_second: float | None = None  # None: as fast as it goes

    def __post_init__(self) -> None:
        for shortcode in (self.shortcode, self.b2c_shortcode, self.till or self.shortcode):
            if not (shortcode.isascii() and shortcode.isdigit() and 5 <= len(shortcode) <= 7):
                raise ValueError(f"{NAME}: a shortcode has 5 to 7 digits")
        for value, known in (
            (self.payout_version, PayoutVersion),
            (self.refund_by, RefundWay),
            (self.pay_in_version, PayInVersion),
            (self.pay_in_unanswered, Unanswered),
        ):
            if value not in get_args(known):
                raise ValueError(f"{NAME}: {value!r} is none of {', '.join(get_args(known))}")

    @property
    def shortcodes(self) -> tuple[str, ...]:
        """Each once: one business may collect and pay out by the same."""
        return tuple(dict.fromkeys((self.shortcode, self.b2c_shortcode)))
