-- What operators sent us and what we asked of them, redacted, for support. Evidence stays where it
-- is: a callback that is evidence has a row here only if it moved nothing, and no body in it.

create table traffic (
  id         uuid primary key,              -- version 7: in order of time, and forgotten in that
  tenant     int not null,
  at_ms      bigint not null,               -- when it came, or was sent
  way        smallint not null,             -- 1 they called us, 2 we called them
  operator   text not null,                 -- '' when nobody knows whose it is
  operation  text not null,                 -- the kind of a callback, or what was called
  attempt    uuid,                          -- or what a balance was asked with
  outcome    text not null,                 -- what we made of it; of a call that failed: how
  status     smallint,                      -- of HTTP, the answer's; null: there was none
  source     text not null,                 -- where a callback came from
  elapsed_ms int,                           -- of a call
  asked      text not null,                 -- JSON texts, redacted
  answered   text not null,
  evidence   uuid,                          -- the evidence that holds the callback's words
  times      bigint not null                -- more than 1: so many were counted instead of kept
);
create index traffic_attempt on traffic (attempt) where attempt is not null;
