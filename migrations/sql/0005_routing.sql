-- Breakers and success rates are shared by all processes. What is counted here is statistics, not
-- money: a crash may lose a second of it.

create table operator_minute (                -- what was told of attempts that began in a minute
  tenant        int not null,
  minute        bigint not null,              -- minutes since the epoch
  operator      text not null,
  direction     smallint not null,
  band          smallint not null,            -- of the amount, 0 for the smallest
  succeeded     int not null,
  declined      int not null,
  unexplained   int not null,
  misconfigured int not null,
  throttled     int not null,
  unreachable   int not null,
  unclear       int not null,
  primary key (tenant, minute, operator, direction, band)
);

create table operator_volume (                -- what succeeded in a day of UTC
  tenant    int not null,
  day       int not null,                     -- days since the epoch
  operator  text not null,
  direction smallint not null,
  payments  int not null,
  minor     bigint not null,                  -- of the operator's currency
  primary key (tenant, day, operator, direction)
);

create table operator_terms (                 -- what was agreed about volume; amounts are minor units
  tenant               int not null,
  operator             text not null,
  direction            smallint not null,
  day_minor_max        bigint,
  month_minor_max      bigint,
  month_minor_promised bigint not null,
  canary_ppm           int,                   -- share of a connector that is still new
  primary key (tenant, operator, direction),
  constraint canary_is_a_share check (canary_ppm between 0 and 1000000)
);

create table breaker (                        -- one row for all processes, moved by compare-and-set
  tenant    int not null,
  operator  text not null,
  direction smallint not null,
  country   text not null,
  version   int not null,
  position  text not null,
  points    int not null,
  fault_ms  bigint not null,
  since_ms  bigint not null,
  until_ms  bigint not null,
  pauses    int not null,
  reason    text not null,                    -- why it last changed its position
  probes    bigint[] not null,                -- until when (ms) each probe under way is waited for
  primary key (tenant, operator, direction, country)
);

create table decision (                       -- those of a payment are kept in the payment
  id      uuid primary key,                   -- version 7: a range of ids is a range of time
  tenant  int not null,
  payment uuid,
  kind    text not null,
  outcome text not null,
  reason  text not null,
  inputs  text not null,                      -- JSON, all the decision saw
  at_ms   bigint not null
);
create index decision_payment on decision (payment) where payment is not null;
