-- People ask each other for money, and a payee finds what was paid to their number.

-- Whether a request is being paid stands nowhere here: each try to pay it is a payment under the key
-- `request:<code>:<try>`, so payment_key lets one in, in the commit that moves the money.
create table money_request (
  id                 uuid primary key,
  tenant             int not null,
  code               text collate "C" not null, -- what both people see
  key                text collate "C" not null, -- idempotency: the same key is the same request
  requester          uuid not null,             -- a customer
  requester_msisdn   text not null,
  requester_operator text not null,             -- whose wallet it is to arrive in
  payer              text not null,             -- who is asked; may be no customer yet
  minor              bigint not null,           -- what is to arrive
  currency           text not null,
  expires_ms         bigint not null,
  closed_as          text,                      -- null: open, being paid, or paid not long ago
  closed_ms          bigint,
  unique (tenant, code),
  unique (tenant, key),
  constraint asks_for_something check (minor > 0),
  constraint closed_as_is_known check (closed_as in ('paid', 'declined', 'expired')),
  constraint closed_at_a_time check ((closed_as is null) = (closed_ms is null))
);
create index money_request_payer on money_request (tenant, payer, id) where closed_as is null;
create index money_request_requester on money_request (tenant, requester, id);
create index money_request_expires on money_request (expires_ms) where closed_as is null;

-- The terms are a list that begins [["quote","payer","payee": between the fifth quotation mark and
-- the sixth stands the payee's number. One entry for each payment; no step rewrites it.
create index journal_payee on journal (split_part(facts, '"', 6), payment) where version = 1;
