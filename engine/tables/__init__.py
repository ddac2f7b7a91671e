"""Every table, as SQLAlchemy sees it: for migrations to compare with and read models to query.

The hot path does not come through here; `engine/ledger/commit.py` speaks to Postgres directly.
"""

from engine.tables.audit import (
    audit_block,
    audit_fence,
    audit_late,
    audit_position,
    audit_sum,
)
from engine.tables.base import metadata
from engine.tables.clients import (
    api_key,
    client,
    client_quote,
    client_request,
    liquidity_reservation,
)
from engine.tables.compliance import clearance, screening_confirmation, screening_list
from engine.tables.customers import customer, ported_number, recipient
from engine.tables.desk import liquidity_mark, proposal
from engine.tables.hooks import (
    hook_attempt,
    hook_delivery,
    hook_event,
    hook_look,
    hook_secret,
    hook_subscription,
)
from engine.tables.messages import sms_inbound, sms_message, sms_opt_out, sms_report
from engine.tables.payments import (
    attempt,
    balance,
    case_file,
    evidence,
    journal,
    money_request,
    outbox,
    pay_in,
    payment,
    payment_key,
    spending,
)
from engine.tables.privacy import data_key
from engine.tables.rates import fx_decision, fx_observation, fx_rate, fx_source
from engine.tables.restores import database_seen
from engine.tables.routing import (
    breaker,
    corridor,
    decision,
    operator_minute,
    operator_probe,
    operator_terms,
    operator_volume,
)
from engine.tables.settlement import (
    settlement_account,
    settlement_approval,
    settlement_batch,
    settlement_corridor,
    settlement_dispute,
    settlement_errand,
    settlement_look,
    settlement_obligation,
    settlement_position,
    settlement_transaction,
)
from engine.tables.staff import (
    staff_action,
    staff_action_block,
    staff_member,
    staff_request,
    staff_session,
)
from engine.tables.statements import (
    balance_look,
    balance_question,
    receipt_amount,
    statement_file,
    statement_line,
)
from engine.tables.traffic import traffic

__all__ = [
    "api_key",
    "attempt",
    "audit_block",
    "audit_fence",
    "audit_late",
    "audit_position",
    "audit_sum",
    "balance",
    "balance_look",
    "balance_question",
    "breaker",
    "case_file",
    "clearance",
    "client",
    "client_quote",
    "client_request",
    "corridor",
    "customer",
    "data_key",
    "database_seen",
    "decision",
    "evidence",
    "fx_decision",
    "fx_observation",
    "fx_rate",
    "fx_source",
    "hook_attempt",
    "hook_delivery",
    "hook_event",
    "hook_look",
    "hook_secret",
    "hook_subscription",
    "journal",
    "liquidity_mark",
    "liquidity_reservation",
    "metadata",
    "money_request",
    "operator_minute",
    "operator_probe",
    "operator_terms",
    "operator_volume",
    "outbox",
    "pay_in",
    "payment",
    "payment_key",
    "ported_number",
    "proposal",
    "receipt_amount",
    "recipient",
    "screening_confirmation",
    "screening_list",
    "settlement_account",
    "settlement_approval",
    "settlement_batch",
    "settlement_corridor",
    "settlement_dispute",
    "settlement_errand",
    "settlement_look",
    "settlement_obligation",
    "settlement_position",
    "settlement_transaction",
    "sms_inbound",
    "sms_message",
    "sms_opt_out",
    "sms_report",
    "spending",
    "staff_action",
    "staff_action_block",
    "staff_member",
    "staff_request",
    "staff_session",
    "statement_file",
    "statement_line",
    "traffic",
]
