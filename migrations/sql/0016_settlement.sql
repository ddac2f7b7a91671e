-- What operators owe each other through us, and how it is squared on a rail.

create table settlement_obligation (          -- one for each journal row that touches INTERPOOL
  payment     uuid not null,
  version     int not null,
  account     bigint not null,                -- the INTERPOOL account it touched
  tenant      int not null,
  source      text not null,                  -- who collected; '' when nobody can tell
  destination text not null,                  -- who paid out
  minor       bigint not null,                -- of the account's currency; below zero: given back
  at_ms       bigint not null,
  batch       uuid,                           -- in which it was closed; null while it waits
  leaf        int,                            -- its place in that batch's tree
  primary key (payment, version, account),
  constraint obligation_is_something check (minor <> 0),
  constraint obligation_has_a_place check ((batch is null) = (leaf is null))
) with (fillfactor = 80);
create index settlement_obligation_waiting
  on settlement_obligation (tenant, source, destination, at_ms) where batch is null;
create unique index settlement_obligation_batch
  on settlement_obligation (batch, leaf) where batch is not null;

create table settlement_position (            -- what an INTERPOOL account must hold, and why
  account        bigint primary key,
  tenant         int not null,
  gathered_minor bigint not null default 0,   -- all obligations there ever were
  closed_minor   bigint not null default 0    -- what batches have taken out of it
) with (fillfactor = 50);

create table settlement_look (                -- how far the journal was read
  tenant    int primary key,
  looked_ms bigint not null,
  again_ms  bigint not null,                  -- the same, for the second reading
  whole_ms  bigint not null                   -- when all of it was read in vain; 0: it adds up
);

create table settlement_corridor (            -- how long a corridor rests after a definitive no
  tenant        int not null,
  corridor      text not null,
  not_before_ms bigint not null,
  refusals      int not null,                 -- how often in a row
  refusal       text not null,
  primary key (tenant, corridor)
);

create table settlement_batch (
  id            uuid primary key,             -- also of its entry in the journal, and on the rail
  tenant        int not null,
  corridor      text not null,
  state         smallint not null,
  cause         text not null,                -- why the window was closed
  closed_ms     bigint not null,
  payment_count int not null,
  merkle_root   bytea not null,
  basis         text not null,                -- gross sums and the mids they were turned with
  debits        bigint[] not null,            -- minor units of the asset, by member
  credits       bigint[] not null,
  expires_at    bigint,                       -- approvals are good until then by the rail's clock
  terms_hash    bytea,                        -- what is signed
  reason        text not null default '',
  ended_ms      bigint,
  settled_at    bigint,                       -- epoch seconds, by the rail's books
  constraint batch_is_of_payments check (payment_count > 0),
  constraint terms_are_whole check ((expires_at is null) = (terms_hash is null))
);
create index settlement_batch_corridor on settlement_batch (tenant, corridor, id);
create index settlement_batch_open on settlement_batch (tenant, id) where state not in (5, 7);

create table settlement_approval (
  batch      uuid not null,
  place      smallint not null,               -- among the corridor's approvers
  tenant     int not null,
  terms_hash bytea not null,
  signature  bytea not null,
  by_hand    text not null default '',        -- who brought it, when it is not our own key's
  at_ms      bigint not null,
  primary key (batch, place, terms_hash)
);

create table settlement_errand (              -- one instruction to the rail, carried out once
  id          uuid primary key,               -- a batch's own id, or one of its own
  tenant      int not null,
  account     text not null,                  -- which of our accounts must send it
  kind        text not null,
  instruction text not null,
  state       smallint not null,
  due_ms      bigint not null,
  refusals    int not null default 0,
  refusal     text,
  hash        bytea,                          -- of the transaction that ended it
  version     bigint,
  fee         bigint
);
create index settlement_errand_wanted on settlement_errand (tenant, account, id)
  where state in (1, 2);

create table settlement_transaction (         -- a number of an account, and what was signed for it
  id         uuid primary key,
  tenant     int not null,
  errand     uuid,                            -- null: it only fills its place
  account    text not null,
  number     bigint not null,
  expires_at bigint not null,                 -- epoch seconds by the rail's clock
  stage      smallint not null,
  made_ms    bigint not null,
  hash       bytea,
  body       bytea,                           -- stored before its first byte leaves
  fee_max    bigint,
  constraint signed_is_kept check (stage <> 2 or body is not null and hash is not null)
);
-- A number is taken by one transaction at a time; what can never happen any more has given it up.
create unique index settlement_transaction_number
  on settlement_transaction (tenant, account, number) where stage <> 5;
create unique index settlement_transaction_errand
  on settlement_transaction (errand) where errand is not null and stage in (1, 2);
create index settlement_transaction_live
  on settlement_transaction (tenant, account, number) where stage in (1, 2);

create table settlement_account (             -- one process at a time sends from an account
  tenant         int not null,
  account        text not null,
  holder         uuid,
  lease_until_ms bigint not null,
  primary key (tenant, account)
);

create table settlement_dispute (
  id           uuid primary key,
  tenant       int not null,
  corridor     text not null,
  dispute      bytea not null,                -- its id on the rail
  batch        uuid not null,
  payment      uuid not null,
  version      int not null,
  member       smallint not null,             -- who says so, by place in the corridor
  against      smallint not null,
  amount_minor bigint not null,               -- of the asset
  refund_minor bigint not null default 0,
  stage        smallint not null,
  errand       uuid,                          -- what the rail is being asked now
  opened_by    text not null,
  reason       text not null default '',
  at_ms        bigint not null,
  unique (tenant, dispute),
  constraint dispute_is_about_something check (amount_minor > 0),
  constraint refund_is_within check (refund_minor between 0 and amount_minor)
);
create index settlement_dispute_open on settlement_dispute (tenant, id) where stage in (1, 2, 3);
