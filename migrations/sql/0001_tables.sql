-- Ids are UUID version 7, made by the application: an id is a time, so a range of ids is a range
-- of time and the big tables are partitioned by their own key. No foreign keys and few indexes on
-- what every step rewrites. Every row carries its tenant.

create table payment (                        -- thin on purpose: every step rewrites this row
  id       uuid primary key,
  tenant   int not null,
  state    smallint not null,
  version  int not null,
  due      bigint,                            -- next_action_at, epoch seconds, rounded up
  live     uuid,                              -- the one attempt that may be moving money now
  way      smallint not null,                 -- which of its ways pays out, or will
  terms    int not null,                      -- the version whose journal row holds the facts
  customer uuid                               -- whose payment it is
) partition by range (id);
create index payment_due on payment (due) where due is not null;
create index payment_customer on payment (customer, id) where customer is not null;

create table payment_key (                    -- idempotency: global, therefore not partitioned
  tenant  int not null,
  key     text collate "C" not null,
  payment uuid not null,
  hash    uuid not null,                      -- 128 bits of a hash of the request
  primary key (tenant, key)
);

create table journal (                        -- append-only; one row per applied plan
  payment uuid not null,
  version int not null,
  tenant  int not null,
  state   smallint not null,
  at_ms   bigint not null,
  debits  bigint[] not null,                  -- transfer i takes amounts[i] from debits[i]
  credits bigint[] not null,                  -- and gives it to credits[i]
  amounts bigint[] not null,
  facts   text,                               -- what the step is based on
  primary key (payment, version)
) partition by range (payment);

create table balance (                        -- credit is positive
  id      bigint primary key,
  guarded boolean not null,
  amount  bigint not null default 0,
  constraint account_has_a_book check (id >> 32 > 0),
  constraint never_below_zero check (amount >= 0 or not guarded)
) with (fillfactor = 10);

create table spending (                       -- what counts against a customer's limits
  tenant          int not null,
  customer        uuid not null,
  currency        smallint not null,          -- ISO 4217 numeric
  day             int not null,               -- the customer's own day, counted from 1970-01-01
  day_minor       bigint not null,
  day_minor_max   bigint not null,            -- the limits of the last payment
  month           int not null,               -- 202611
  month_minor     bigint not null,
  month_minor_max bigint not null,
  primary key (tenant, customer, currency)
) with (fillfactor = 70);

create table attempt (                        -- append-only: how a callback finds its payment
  id        uuid primary key,
  payment   uuid not null,
  tenant    int not null,
  direction smallint not null,
  operator  smallint not null
) partition by range (id);

create table outbox (                         -- what the outside is still to be asked
  id          uuid primary key,
  payment     uuid not null,
  tenant      int not null,
  kind        smallint not null,
  payload     text,
  not_before  bigint not null,                -- epoch seconds
  lease_until bigint not null,                -- until then somebody is at it; no index: ids are times
  sent_at     bigint,                         -- set before the first byte leaves
  claims      int not null default 0,         -- goes up with every claim: who held an older one is late
  ended       text                            -- how the call ended, before the commit that says so
) with (fillfactor = 70);

create table evidence (                       -- append-only: what the outside told us, as it came
  attempt uuid not null,
  hash    uuid not null,                      -- the same body twice is one row
  payment uuid not null,
  tenant  int not null,
  at_ms   bigint not null,
  source  smallint not null,
  body    text not null,                      -- redacted
  primary key (attempt, hash)
) partition by range (attempt);

create table case_file (                      -- what a person has to look at
  payment   uuid not null,
  kind      text not null,
  hash      uuid not null,
  tenant    int not null,
  opened_ms bigint not null,
  detail    text not null,
  closed_ms bigint,
  primary key (payment, kind, hash)
);

create table sms_message (                    -- what was handed to a gateway, or why not
  id         uuid primary key,                -- the intent's id
  payment    uuid not null,
  tenant     int not null,
  template   text not null,
  status     text not null,
  message_id text not null,                   -- the gateway's
  at_ms      bigint not null
) partition by range (id);
create index sms_message_payment on sms_message (payment);

create table sms_report (                     -- delivery reports, early or late, as they came
  message_id text not null,
  status     text not null,
  tenant     int not null,
  delivered  boolean,
  failure    text not null,
  at_ms      bigint not null,
  primary key (message_id, status)
);

create table customer (
  id               uuid primary key,
  tenant           int not null,
  msisdn           text not null,
  country          text not null,
  language         text not null,
  tier             smallint not null,
  pin_mac          bytea,                     -- a keyed MAC; the key is not in this database
  pin_key          smallint,
  pin_failures     smallint not null default 0,
  pin_locked_until timestamptz,
  created_at       timestamptz not null,
  unique (tenant, msisdn)
);

create table fx_rate (                        -- history: a new rate is a new row
  tenant int not null,
  base   text not null,
  quote  text not null,
  at_ms  bigint not null,
  mid    numeric not null,                    -- major units of quote for one major unit of base
  source text not null,
  primary key (tenant, base, quote, at_ms),
  constraint mid_is_positive check (mid > 0)
);

create table corridor (
  tenant              int not null,
  payer_operator      text not null,
  payee_operator      text not null,
  spread_bp           int not null,           -- hundredths of a percent
  fee_minor           bigint not null,
  fee_bp              int not null,
  amount_minor_min    bigint not null,
  amount_minor_max    bigint not null,
  collection_cost_bp  int not null,           -- what the payer's operator keeps
  payout_cost_minor   bigint not null,        -- the most the payee's operator charges
  primary key (tenant, payer_operator, payee_operator)
);

-- Make the partitions of the big tables for one month, and tune those that are rewritten.
-- Safe to repeat, also by several processes at once: they take turns.
create function ensure_month(suffix text, first_id uuid, next_id uuid) returns void
language plpgsql as $$
declare name text;
begin
  perform pg_advisory_xact_lock(hashtext('ensure_month'));
  foreach name in array array['payment', 'journal', 'attempt', 'evidence', 'sms_message'] loop
    if to_regclass(name || '_' || suffix) is null then
      execute format('create table %I partition of %I for values from (%L) to (%L) %s',
        name || '_' || suffix, name, first_id, next_id,
        case when name = 'payment' then 'with (fillfactor = 50)' else '' end);
    end if;
  end loop;
end $$;
