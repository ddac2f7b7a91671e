"""The numbers by which a node says why it does not take a transaction in (reference, section 4)."""

from collections.abc import Mapping
from typing import Any, Final

CODES: Final[Mapping[int, str]] = {
    1: "INVALID_SIGNATURE",
    2: "INVALID_AUTH_KEY",
    3: "SEQUENCE_NUMBER_TOO_OLD",
    4: "SEQUENCE_NUMBER_TOO_NEW",
    5: "INSUFFICIENT_BALANCE_FOR_TRANSACTION_FEE",
    6: "TRANSACTION_EXPIRED",
    7: "SENDING_ACCOUNT_DOES_NOT_EXIST",
    10: "EXCEEDED_MAX_TRANSACTION_SIZE",
    13: "MAX_GAS_UNITS_EXCEEDS_MAX_GAS_UNITS_BOUND",
    14: "MAX_GAS_UNITS_BELOW_MIN_TRANSACTION_GAS_UNITS",
    15: "GAS_UNIT_PRICE_BELOW_MIN_BOUND",
    16: "GAS_UNIT_PRICE_ABOVE_MAX_BOUND",
    23: "BAD_CHAIN_ID",
    24: "SEQUENCE_NUMBER_TOO_BIG",
    26: "FEATURE_UNDER_GATING",
    27: "SECONDARY_KEYS_ADDRESSES_COUNT_MISMATCH",
    28: "SIGNERS_CONTAIN_DUPLICATES",
    31: "ACCOUNT_NOT_MULTISIG",
    32: "NOT_MULTISIG_OWNER",
    33: "MULTISIG_TRANSACTION_NOT_FOUND",
    34: "MULTISIG_TRANSACTION_INSUFFICIENT_APPROVALS",
    36: "GAS_PAYER_ACCOUNT_MISSING",
    37: "INSUFFICIENT_BALANCE_FOR_REQUIRED_DEPOSIT",
}

OURS: Final = frozenset(
    {
        "INVALID_SIGNATURE",
        "INVALID_AUTH_KEY",
        "INSUFFICIENT_BALANCE_FOR_TRANSACTION_FEE",
        "INSUFFICIENT_BALANCE_FOR_REQUIRED_DEPOSIT",
        "SENDING_ACCOUNT_DOES_NOT_EXIST",
        "GAS_PAYER_ACCOUNT_MISSING",
        "MAX_GAS_UNITS_EXCEEDS_MAX_GAS_UNITS_BOUND",
        "MAX_GAS_UNITS_BELOW_MIN_TRANSACTION_GAS_UNITS",
        "GAS_UNIT_PRICE_BELOW_MIN_BOUND",
        "GAS_UNIT_PRICE_ABOVE_MAX_BOUND",
        "BAD_CHAIN_ID",
        "FEATURE_UNDER_GATING",
        "api_disabled",
        "rejected_by_filter",
    }
)
"""What does not mend by itself: an account of ours that is empty or unknown, a key, a setting."""


def chain_word(number: Any, error_code: str) -> str:
    """The chain's name of a refusal: by its number, or by the code where there is none."""
    if isinstance(number, int) and number in CODES:
        return CODES[number]
    # Nodes tell this one both ways.
    return "SEQUENCE_NUMBER_TOO_OLD" if error_code == "sequence_number_too_old" else error_code
