"""How one Airtel application in one country is set up: what the reference leaves open is here."""

from dataclasses import dataclass, field
from enum import StrEnum

from providers.airtel_money.sealing import Padding, read_public_key
from providers.http import DEFAULT_TIMEOUTS, Timeouts


class CallbackHash(StrEnum):
    """What the hash of a callback is taken over (section 8); the texts contradict each other."""

    EITHER = "either"  # the first two are both believed
    TRANSACTION = "transaction"  # the bytes of the `transaction` object
    BODY = "body"  # the whole object without its `hash`
    HEADER = "header"  # the raw body, in `X-Airtel-Signature`


class RefundBy(StrEnum):
    """How a collection is given back."""

    DISBURSEMENT = "disbursement"  # an order of its own: exact, askable, never done twice
    REFUND = "refund"  # section 5.3: always the whole amount, and nobody can ask how it went


@dataclass(frozen=True)
class AirtelMoneySettings:
    """One application. Raises ValueError for what cannot be meant."""

    base_url: str
    client_id: str = field(repr=False)
    client_secret: str = field(repr=False)
    pin: str = field(repr=False)  # of the disbursement wallet, four digits (section 2)
    collection_version: int = 1  # 1, or 2, which is signed (section 5.1)
    disbursement_version: int = 1  # 1, 2 or 3 (section 6)
    signs_disbursements: bool = True  # versions 2 and 3; "optional" in one text (section 6)
    repeats_payouts: bool = True  # with the same id, when Airtel has no such (section 6)
    enquiry_version: int = 1  # of disbursements; 2 and 3 have one sighting (section 6)
    balance_version: int = 1  # 2 tells the wallets apart (section 7)
    refund_by: RefundBy = RefundBy.DISBURSEMENT
    pin_padding: Padding = Padding.PKCS1V15  # differs by country and date (section 9)
    pin_field: str = "pin"  # "pinstring" in one text (section 6)
    wallet_type: str = "NORMAL"  # of the payee in version 3, or "SALARY" (section 6)
    encryption_key: str = field(default="", repr=False)  # base64; "" asks for it (section 9)
    pin_key: str = field(default="", repr=False)  # where the portal shows another one for PINs
    callback_key: str = field(default="", repr=False)  # "" where the portal's switch is off
    callback_hash: CallbackHash = CallbackHash.EITHER
    currency_word: str = ""  # what `X-Currency` says, if not the ISO code (section 11)
    keeps_zero: bool = True  # GA and CG: the zero belongs to the number (msisdn, section 1)
    timeouts: Timeouts = DEFAULT_TIMEOUTS
    connections: int = 100
    per_second: float | None = None

    def __post_init__(self) -> None:
        versions = {
            "collection version": (self.collection_version, (1, 2)),
            "disbursement version": (self.disbursement_version, (1, 2, 3)),
            "enquiry version": (self.enquiry_version, (1, 2, 3)),
            "balance version": (self.balance_version, (1, 2)),
        }
        for name, (version, known) in versions.items():
            if version not in known:
                raise ValueError(f"Airtel Money: no such {name}: {version}")
        if not (self.pin.isascii() and self.pin.isdigit() and len(self.pin) == 4):
            raise ValueError("Airtel Money: the disbursement PIN has four digits")
        for key in (self.encryption_key, self.pin_key):
            if key:
                read_public_key(key)
