-- A notice may come long after its collection, under a reference that nobody can read: whose it is says the
-- line that lists its receipt (engine/payments/payins/decisions/0006).
create index statement_line_receipt on statement_line (tenant, operator, receipt) where attempt is not null;
