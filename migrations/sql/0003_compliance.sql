-- Limits, sanctions lists and rules need what they know, and what they decided.

alter table customer add column name text;    -- as a person gave it, to staff
alter table customer add column born date;

create table screening_list (                 -- append-only: the newest version of a list is in force
  tenant      int not null,
  source      text not null,                  -- whose list, in which format
  version     int not null,
  published   text not null,                  -- the publisher's word for its date
  loaded_ms   bigint not null,
  entry_count int not null,
  digest      text not null,                  -- SHA-256 of the file, hexadecimal
  entries     bytea not null,                 -- packed and compressed: read whole, or not at all
  primary key (tenant, source, version)
);
alter table screening_list alter column entries set storage external;

create table clearance (                      -- what somebody wanted to pay, and what we said
  tenant            int not null,
  quote             uuid not null,
  at_ms             bigint not null,
  payer             text not null,
  payee             text not null,
  minor             bigint not null,          -- what is sent, before the fee
  currency          text not null,
  receives_minor    bigint not null,
  receives_currency text not null,
  action            smallint not null default 0,
  decision          text,                     -- set unless the payment was simply allowed
  primary key (tenant, quote)
);
create index clearance_payer on clearance (tenant, payer, at_ms);
create index clearance_payee on clearance (tenant, payee, at_ms);
create index clearance_flagged on clearance (tenant, at_ms) where decision is not null;
