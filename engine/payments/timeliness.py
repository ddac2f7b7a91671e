"""Whether what two people agreed on about a payment of before a restore counts: not what may have
been carried out in what that lost, nor what they saw before it was listed (`decisions/0039`).
"""

from engine.desk.proposals import Proposal
from engine.payments.payment import Payment
from engine.payments.rulings import Rulings


def why_untimely(rulings: Rulings, payment: Payment, proposal: Proposal, *, pays: bool) -> str:
    """Why it rules nothing; "" for what counts, and for every payment of since.

    `pays`: carried out, it would move money that may have moved already.
    """
    too_old = rulings.why_too_old(proposal) if pays else ""
    return too_old or rulings.seen_too_early(payment, proposal)
