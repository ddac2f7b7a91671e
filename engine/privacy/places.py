"""The names of the places that hold something about people: what is sealed at one opens at no
other. One function a column, for the store that writes it and for whoever seals it anew. Pure.

Stored values answer to these names: one that is changed makes all that stands there unreadable.
"""


def number_place(customer_id: str) -> str:
    """`customer.msisdn_sealed`."""
    return f"customer.msisdn/{customer_id}"


def name_place(customer_id: str) -> str:
    """`customer.name`."""
    return f"customer.name/{customer_id}"


def recipient_place(customer_id: str, kept: str) -> str:
    """`recipient.msisdn_sealed`. `kept`: what stands in `msisdn`."""
    return f"recipient.msisdn/{customer_id}/{kept}"


def recipient_name_place(customer_id: str, kept: str) -> str:
    """`recipient.name`."""
    return f"recipient.name/{customer_id}/{kept}"


def recipient_place_before(customer_id: str, kept: str) -> str:
    """Of both, in rows of before each had its own."""
    return f"recipient/{customer_id}/{kept}"


def payer_place(request_id: str) -> str:
    """`money_request.payer_sealed`."""
    return f"money_request.payer/{request_id}"


def requester_place(request_id: str) -> str:
    """`money_request.requester_msisdn`."""
    return f"money_request.requester_msisdn/{request_id}"


def people_place(quote_id: str) -> str:
    """`clearance.people_sealed`: payer and payee with a blank between."""
    return f"clearance.people/{quote_id}"


def names_place(quote_id: str) -> str:
    """`clearance.names_sealed`: by which names somebody resembled an entry of a list."""
    return f"clearance.names/{quote_id}"


def terms_place(payment_id: str) -> str:
    """The two numbers within `journal.facts`."""
    return f"journal.facts/{payment_id}"


def terms_name_place(payment_id: str) -> str:
    """The payee's name there, as the client that asked tells it."""
    return f"journal.facts.name/{payment_id}"


def payload_place(intent_id: str) -> str:
    """`outbox.payload`: what is still to be said to whom. It leaves with its row."""
    return f"outbox.payload/{intent_id}"


def evidence_place(attempt_id: str) -> str:
    """`evidence.body`."""
    return f"evidence.body/{attempt_id}"


def asked_place(id_: str) -> str:
    """`traffic.asked`."""
    return f"traffic.asked/{id_}"


def answered_place(id_: str) -> str:
    """`traffic.answered`."""
    return f"traffic.answered/{id_}"


def traffic_place_before(id_: str) -> str:
    """Of both, in rows of before each had its own."""
    return f"traffic/{id_}"


def body_place(proposal_id: str) -> str:
    """`proposal.body`."""
    return f"proposal.body/{proposal_id}"


def pay_in_payer_place(id_: str) -> str:
    """`pay_in.payer`: who paid."""
    return f"pay_in.payer/{id_}"


def pay_in_reference_place(id_: str) -> str:
    """`pay_in.reference`: what they wrote to it."""
    return f"pay_in.reference/{id_}"


def pay_in_place_before(id_: str) -> str:
    """Of both, in rows of before each had its own."""
    return f"pay_in/{id_}"


def answer_place(operation_id: str) -> str:
    """`client_request.answer` and `staff_request.answer`."""
    return f"answer/{operation_id}"


def quote_place(quote_id: str) -> str:
    """`client_quote.quote`."""
    return f"client_quote.quote/{quote_id}"


def counterparty_place(id_: str) -> str:
    """`statement_line.counterparty`."""
    return f"statement_line.counterparty/{id_}"


def reference_place(id_: str) -> str:
    """`statement_line.reference`: M-PESA writes the payer's number into its own."""
    return f"statement_line.reference/{id_}"
