"""Every error the engine raises, in one tree. Each says who must hear and whether a repeat is safe.

CappError
├── CustomerMistake        the caller can mend it: `text_key` names the sentence that says how
├── NoWayNow               nothing is wrong with the request, it cannot be served now
├── StaffMistake           a member of staff asked for what the rules of the desk do not allow
│   ├── SamePerson         one person wanted to be two
│   ├── AlreadyDecided     somebody else decided otherwise first
│   ├── AlreadyProposed    somebody else asked for the same first
│   ├── NoSuchHook         no subscription of that name, or nothing of it to send
│   └── NotProven          nobody can tell who asks: no token of ours, or its session is over
├── ProviderError          what a company's answer, or its silence, means
│   ├── Rejected           it was definitely not done, by a code the company lists as final
│   ├── Throttled          it was definitely not done; the same request may be sent later
│   ├── Unreachable        not one byte left: the same request may be sent again
│   ├── OutcomeUnknown     it may have been done: ask, never resend blindly
│   └── Unreadable         what came in is not what the company documents
└── OurFault               a law of this house was about to be broken
    ├── Impossible         a transition the lifecycle does not know
    ├── CommitUnknown      the database's reply was lost: repeat the same plan to find out
    ├── LeftTooLate        a plan was not sent by the time that its maker gave it
    ├── NotServed          the database serves no such tenant, or not this version
    ├── KeyNotAtHand       a stored value is sealed under a key that this process has not got
    └── Tampered           a stored value was changed, or put where it was not sealed
"""

from typing import Any


class CappError(Exception):
    """The root; never raised itself."""


class TextKey(str):
    """A variable that is itself a text: `TextKey("operator.mtn_ug")` is written `MTN MoMo`."""

    __slots__ = ()


class CustomerMistake(CappError):
    """The caller typed something that cannot be meant; `text_key` names the sentence to show."""

    def __init__(self, text_key: str, **variables: Any) -> None:
        super().__init__(text_key)
        self.text_key = text_key
        self.variables = variables


class NoWayNow(CappError):
    """The request is sound but cannot be served now; nothing moved, a repeat later is safe."""

    def __init__(self, text_key: str, **variables: Any) -> None:
        super().__init__(text_key)
        self.text_key = text_key
        self.variables = variables


class StaffMistake(CappError):
    """What a member of staff asked for is not allowed; the message is for them, nothing moved."""


class SamePerson(StaffMistake):
    """Whoever asked for something cannot also be the one who agrees to it."""


class AlreadyDecided(StaffMistake):
    """Somebody decided otherwise first; what they decided stands."""


class AlreadyProposed(StaffMistake):
    """Somebody asked for the same first; that is to be approved or rejected before."""


class NoSuchHook(StaffMistake):
    """The subscription or delivery that was named is not there, or is another tenant's."""


class NotProven(StaffMistake):
    """Who asks has not shown who they are. The message never says what was wrong."""


class ProviderError(CappError):
    """What a provider's answer means for the request. `code` is the company's own word for it."""

    def __init__(self, provider: str, detail: str, *, code: str = "") -> None:
        super().__init__(f"{provider}: {detail}" + (f" [{code}]" if code else ""))
        self.provider = provider
        self.detail = detail
        self.code = code


class Rejected(ProviderError):
    """Definitely not done, by a listed code. `reason` is the neutral word (`ports.Reason`)."""

    def __init__(self, provider: str, detail: str, *, code: str, reason: str) -> None:
        super().__init__(provider, detail, code=code)
        self.reason = reason


class Throttled(ProviderError):
    """Refused at the door for now; not done. Send the same request after `retry_after_seconds`.

    `by_us`: we kept to our own pace and did not call; `by_customer`: one of the two people has
    something else under way. Neither says anything about the company.
    """

    def __init__(
        self,
        provider: str,
        detail: str,
        *,
        code: str = "",
        retry_after_seconds: float = 60.0,
        by_us: bool = False,
        by_customer: bool = False,
    ) -> None:
        super().__init__(provider, detail, code=code)
        self.retry_after_seconds = retry_after_seconds
        self.by_us = by_us
        self.by_customer = by_customer


class Unreachable(ProviderError):
    """No byte of the request left this machine; sending it again is safe."""


class OutcomeUnknown(ProviderError):
    """The request may have been carried out. Ask for its status before anything else.

    `provider_reference` is what that question needs, where it was told before the answer was lost.
    """

    def __init__(
        self, provider: str, detail: str, *, code: str = "", provider_reference: str | None = None
    ) -> None:
        super().__init__(provider, detail, code=code)
        self.provider_reference = provider_reference


class Unreadable(ProviderError):
    """An inbound body that is not what the provider documents; nothing can be concluded."""


class OurFault(CappError):
    """A law of this house was about to be broken; it is refused and somebody must look."""


class Impossible(OurFault):
    """A transition the lifecycle table does not list for this state."""


class CommitUnknown(OurFault):
    """The commit's reply was lost: stored or not. Repeating the same plan answers which."""


class LeftTooLate(OurFault):
    """A plan was kept from leaving until its maker's time for it was over. It leaves no more; where
    a reply was lost before, it may be stored all the same.
    """


class NotServed(OurFault):
    """The database has no role for the tenant, or does not let our login take it on; or its schema
    is of before this program.
    """


class KeyNotAtHand(OurFault):
    """A stored value's key is not among those this process has; once it has it, a repeat reads it.

    The message names places and versions of keys, never a value.
    """


class Tampered(OurFault):
    """A sealed value was changed, or moved to another row or column; nobody can read it."""
