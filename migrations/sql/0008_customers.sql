-- Customers save recipients and get a new PIN when they forgot theirs; locks grow longer.

alter table customer
  add column pin_locks smallint not null default 0,  -- cool-downs in a row since the last right PIN
  add column pin_reset_asked_at timestamptz,         -- when the customer last said it was forgotten
  add column pin_reset_until timestamptz,            -- a new one may be chosen until then, once
  add column pin_reset_by uuid,                      -- the proposal that last allowed it
  add column tier_paused_until timestamptz;          -- after such a choice: tier 0 until then

create table recipient (                             -- whom a customer pays again
  tenant      int not null,
  customer_id uuid not null,
  msisdn      text not null,
  name        text not null,                         -- cleaned: GSM-7, at most 12 septets
  saved_at    timestamptz not null,
  primary key (tenant, customer_id, msisdn)
);
