-- Every word of every source is kept, and why a rate was taken, held or not taken from them.

create table fx_source (                      -- how asking a source went last
  tenant      int not null,
  source      text not null,
  asked_ms    bigint not null,                -- whoever moves this one asks; all others wait
  answered_ms bigint,
  failure     text not null default '',       -- of the newest answer; empty when it was good
  primary key (tenant, source)
);

create table fx_observation (                 -- append-only: the same word twice is one row
  tenant  int not null,
  base    text not null,
  quote   text not null,
  source  text not null,
  at_ms   bigint not null,                    -- the source's own time
  mid     numeric not null,                   -- major units of quote for one major unit of base
  seen_ms bigint not null,                    -- when we first saw it
  verdict text,                               -- of the first decision it was part of, if any
  primary key (tenant, base, quote, source, at_ms, mid),
  constraint observed_mid_is_positive check (mid > 0)
);

create table fx_decision (                    -- append-only; base and quote in alphabetical order
  tenant       int not null,
  base         text not null,
  quote        text not null,
  at_ms        bigint not null,
  outcome      text not null,                 -- the mid that was taken, "held" or "none"
  decision     text not null,                 -- JSON, with everything needed to decide again
  fingerprint  text not null,                 -- the same words decided alike are one row in a row
  confirmed_by text,                          -- who confirmed a jump
  primary key (tenant, base, quote, at_ms)
);

-- The decision a rate was accepted by: its at_ms. Rows of a table that people keep have none.
alter table fx_rate add column decided_ms bigint;
