-- The auditor remembers how far it has added the books up again.

-- Rows arrive about in the order of their time, so this index is a few pages and costs the commit
-- next to nothing; the auditor, statements and forecasts read a stretch of time through it.
create index journal_at on journal using brin (at_ms) with (pages_per_range = 64, autosummarize = on);

create table audit_block (                    -- a sealed stretch of one partition of the journal
  tenant     int not null,
  partition  text not null,
  number     int not null,
  from_ms    bigint not null,                 -- rows with from_ms <= at_ms < to_ms
  to_ms      bigint not null,
  entries    bigint not null,
  digest     bytea not null,                  -- SHA-256 over the digests of its rows, in order
  hash       bytea not null,                  -- SHA-256 over the previous block's hash and digest
  snapshot   text not null,                   -- what was visible when it was sealed
  checked_ms bigint not null,                 -- when it was last compared with the journal
  primary key (tenant, partition, number)
);
create index audit_block_checked on audit_block (tenant, checked_ms);

create table audit_late (                     -- rows that appeared in a block after it was sealed
  payment   uuid not null,
  version   int not null,
  tenant    int not null,
  partition text not null,
  digest    bytea not null,
  found_ms  bigint not null,
  primary key (payment, version)
);

create table audit_sum (                      -- what all sealed rows add up to, by account
  account bigint primary key,
  tenant  int not null,
  minor   bigint not null
);

create table audit_position (                 -- which payment's money stands where
  tenant  int not null,
  payment uuid not null,
  account bigint not null,
  minor   bigint not null,
  primary key (payment, account)
);
