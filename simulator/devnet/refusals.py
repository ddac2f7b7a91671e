"""Every refusal a node answers, as the interface writes it: an HTTP status, a code, a sentence.

It knows how a refusal reads, not when one is due. Codes: reference: aptos,
sections 2 and 4.
"""

from __future__ import annotations

from collections.abc import Mapping

VALIDATION: Mapping[str, int | None] = {
    "INVALID_SIGNATURE": 1,
    "INVALID_AUTH_KEY": 2,
    "SEQUENCE_NUMBER_TOO_OLD": 3,
    "SEQUENCE_NUMBER_TOO_NEW": 4,
    "INSUFFICIENT_BALANCE_FOR_TRANSACTION_FEE": 5,
    "TRANSACTION_EXPIRED": 6,
    "SENDING_ACCOUNT_DOES_NOT_EXIST": 7,
    "EXCEEDED_MAX_TRANSACTION_SIZE": 10,
    "MAX_GAS_UNITS_EXCEEDS_MAX_GAS_UNITS_BOUND": 13,
    "MAX_GAS_UNITS_BELOW_MIN_TRANSACTION_GAS_UNITS": 14,
    "GAS_UNIT_PRICE_BELOW_MIN_BOUND": 15,
    "GAS_UNIT_PRICE_ABOVE_MAX_BOUND": 16,
    "BAD_CHAIN_ID": 23,
    "SEQUENCE_NUMBER_TOO_BIG": 24,
    "FEATURE_UNDER_GATING": 26,
    "SECONDARY_KEYS_ADDRESSES_COUNT_MISMATCH": 27,
    "SIGNERS_CONTAIN_DUPLICATES": 28,
    "ACCOUNT_NOT_MULTISIG": 31,
    "NOT_MULTISIG_OWNER": 32,
    "MULTISIG_TRANSACTION_NOT_FOUND": 33,
    "MULTISIG_TRANSACTION_INSUFFICIENT_APPROVALS": 34,
    "MULTISIG_TRANSACTION_PAYLOAD_DOES_NOT_MATCH_HASH": 35,
    "GAS_PAYER_ACCOUNT_MISSING": 36,
    "MULTISIG_TRANSACTION_PAYLOAD_DOES_NOT_MATCH": 40,
    # A node gives these two a number as well; nobody we trust has written it down.
    "NONCE_ALREADY_USED": None,
    "TRANSACTION_EXPIRATION_TOO_FAR_IN_FUTURE": None,
}
# What the numbers of a view that could not be run are.
EXECUTION: Mapping[str, int] = {
    "LINKER_ERROR": 1021,
    "MISSING_DEPENDENCY": 1021,
    "FUNCTION_RESOLUTION_FAILURE": 1091,
    "FAILED_TO_DESERIALIZE_ARGUMENT": 1100,
    "NUMBER_OF_SIGNER_ARGUMENTS_MISMATCH": 1101,
    "OUT_OF_GAS": 4002,
    "MISSING_DATA": 4008,
    "ABORTED": 4016,
    "ARITHMETIC_ERROR": 4017,
}


class Refused(Exception):
    """Raised when a request is answered with an error body instead of being carried out."""

    def __init__(
        self, status: int, error_code: str, message: str, vm_error_code: int | None = None
    ) -> None:
        super().__init__(message)
        self.status = status
        self.error_code = error_code
        self.message = message
        self.vm_error_code = vm_error_code

    def body(self) -> dict[str, object]:
        """The error as JSON has it."""
        return {
            "message": self.message,
            "error_code": self.error_code,
            "vm_error_code": self.vm_error_code,
        }


class Invalid(Refused):
    """Raised when a transaction does not pass validation; `name` is the status."""

    def __init__(self, name: str) -> None:
        message = f"Invalid transaction: Type: Validation Code: {name}"
        super().__init__(400, "vm_error", message, VALIDATION[name])
        self.name = name


def invalid_input(message: str) -> Refused:
    """The request cannot be understood."""
    return Refused(400, "invalid_input", message)


def not_found(what: str, name: str, version: int) -> Refused:
    """There is no such `what` (`account`, `transaction`) at this version."""
    noun = what.replace("_", " ").capitalize()
    message = f"{noun} not found by {name} and Ledger version({version})"
    return Refused(404, f"{what}_not_found", message)


def pool_full(message: str) -> Refused:
    """The mempool takes no more, of this account or at all."""
    return Refused(507, "mempool_is_full", message)
