-- Operators' statements and balances are compared with our books.

create table statement_file (                 -- what was taken in; the same file twice is one
  tenant   int not null,
  operator text not null,
  day      date not null,                     -- the operator's
  hash     uuid not null,                     -- 128 bits of a hash of its bytes
  lines    int not null,
  doubled  int not null,                      -- lines of it that repeat another line of it
  gaps     int not null,                      -- where its running balance says a line is missing
  taken_ms bigint not null,
  primary key (tenant, operator, day, hash)
);

create table statement_line (                 -- a movement as an operator lists it, once
  id           uuid primary key,              -- named after operator, receipt, side and amount
  tenant       int not null,
  operator     text not null,
  day          date not null,                 -- of the first file that lists it
  receipt      text not null,
  reference    text,                          -- ours, if the statement carries it
  side         smallint not null,
  minor        bigint not null,
  fee_minor    bigint not null,
  currency     text not null,
  counterparty text,                          -- masked
  completed_ms bigint not null,
  balance_minor bigint,
  raw_hash     uuid not null,
  taken_ms     bigint not null,
  class        smallint not null default 0,   -- what became of it; 0 while nobody has looked
  attempt      uuid,                          -- which attempt of ours it is
  suspended_ms bigint,                        -- since when its money lies in SUSPENSE
  constraint moves_something check (minor > 0 and fee_minor >= 0)
);
create index statement_line_day on statement_line (tenant, operator, day);
create index statement_line_attempt on statement_line (attempt) where attempt is not null;

create table balance_question (               -- an operator is asked what one account holds
  id       uuid primary key,                  -- its address for the answer is made from this
  tenant   int not null,
  operator text not null,
  look     uuid not null,                     -- all accounts of one operator asked at one time
  account  text not null,                     -- the operator's name for it
  asked_ms bigint not null,
  told_ms  bigint,
  minor    bigint                             -- what the operator said
);
create index balance_question_look on balance_question (look);

create table balance_look (                   -- their balance beside ours, each once
  look           uuid primary key,
  n              bigint generated always as identity,  -- in which order they were made
  tenant         int not null,
  operator       text not null,
  at_ms          bigint not null,
  is_snapshot    boolean not null,            -- a statement's closing balance, ours as of then
  theirs_minor   bigint not null,
  float_minor    bigint not null,
  leaving_minor  bigint not null,             -- may have left
  arriving_minor bigint not null,             -- may have arrived
  unbooked_minor bigint not null,
  drift_minor    bigint not null              -- how far theirs lies outside the band
);
create index balance_look_newest on balance_look (tenant, operator, is_snapshot, at_ms);
