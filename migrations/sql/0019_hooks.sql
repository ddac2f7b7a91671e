-- Businesses are told of their payments: who, what, and every try to tell it.

create table hook_subscription (
  id               uuid primary key,
  tenant           int not null,
  client           uuid,                     -- whose payments; null: all of the tenant's, for staff
  url              text not null,
  events           text[] not null,          -- empty: all kinds
  whole_numbers    boolean not null,         -- else numbers are masked
  state            text not null,
  why              text not null default '', -- why it is paused
  made_ms          bigint not null,
  failing_since_ms bigint,                   -- the first failure after the last success
  constraint hook_state_is_known check (state in ('active', 'paused', 'removed'))
);
create index hook_subscription_live on hook_subscription (tenant, id) where state <> 'removed';

create table hook_secret (                   -- what is signed with; sealed, its keys are elsewhere
  id           uuid primary key,
  tenant       int not null,
  subscription uuid not null,
  key_version  int not null,
  sealed       bytea not null,               -- nonce, then AES-256-GCM
  made_ms      bigint not null,
  until_ms     bigint                        -- after a rotation: signs until then
);
create index hook_secret_subscription on hook_secret (tenant, subscription);

create table hook_look (                     -- how far the journal was read
  tenant    int primary key,
  looked_ms bigint not null,
  again_ms  bigint not null                  -- the second reading, further back
);

create table hook_event (                    -- what happened to a payment, once each
  id       uuid primary key,
  tenant   int not null,
  payment  uuid not null,
  sequence int not null,                     -- of one payment's events the later has the higher
  client   uuid,                             -- who asked for the payment; null: its payer dialled
  kind     text not null,
  state    smallint not null,                -- the payment's, behind the step
  terms    int not null,                     -- the journal version that held its terms then
  at_ms    bigint not null,
  unique (tenant, payment, sequence)
);
create index hook_event_newest on hook_event (tenant, id);

create table hook_delivery (                 -- an event on its way to a subscription
  event        uuid not null,
  subscription uuid not null,
  tenant       int not null,
  payment      uuid not null,
  sequence     int not null,
  state        smallint not null,            -- 1 waiting, 2 delivered, 3 parked, 4 dropped
  made_ms      bigint not null,
  begun_ms     bigint not null,              -- trying since
  due_ms       bigint,                       -- next try, or until when somebody is at it
  attempts     int not null default 0,       -- goes up with every claim
  last_ms      bigint,
  last_status  smallint,
  last_failure text not null default '',
  primary key (event, subscription),
  constraint waiting_is_due check ((state = 1) = (due_ms is not null))
) with (fillfactor = 70);
create index hook_delivery_due on hook_delivery (subscription, due_ms, event) where state = 1;
create index hook_delivery_order on hook_delivery (subscription, payment, sequence) where state = 1;
create index hook_delivery_newest on hook_delivery (tenant, subscription, event);

create table hook_attempt (                  -- append-only: each try as it went
  event        uuid not null,
  subscription uuid not null,
  number       int not null,
  tenant       int not null,
  at_ms        bigint not null,
  elapsed_ms   int not null,
  status       smallint,                     -- null: no answer, `failure` says why
  failure      text not null,
  primary key (event, subscription, number)
);
