-- Money paid in to a shortcode, matched or kept in suspense.

create table pay_in (                         -- what a customer sent of their own accord, once
  id         uuid primary key,                -- ours, made when it was first told of
  tenant     int not null,
  operator   text not null,
  receipt    text not null,                   -- the operator's own number of it
  minor      bigint not null,
  currency   text not null,
  reference  text not null,                   -- what the customer typed
  payer      text not null,                   -- masked or hashed, as told; '' when it was not
  heard_ms   bigint not null,
  stage      smallint not null,
  due_ms     bigint,                          -- when to look again; null: nothing is left to do
  asked      int not null default 0,          -- how often the operator was asked whether it came
  proven     boolean not null default false,  -- the operator was asked, and said so
  payment    uuid,                            -- whose collection it is
  proposal   uuid,                            -- what two people agreed on is being done with it
  calls      int not null default 0,          -- how often its return was ordered at the operator
  called_ms  bigint,                          -- when last
  constraint pay_in_is_something check (minor > 0),
  constraint pay_in_of_somebody check (stage <> 4 or payment is not null),
  unique (tenant, operator, receipt)
);
create index pay_in_due on pay_in (due_ms) where due_ms is not null;
create index pay_in_stage on pay_in (tenant, stage, id);
create unique index pay_in_payment on pay_in (payment) where stage = 4;  -- a payment is paid once
