-- Clients set liquidity aside for payments to come. How one stands is in `payment` under its id, what
-- is left of it in the balance of its account, which no other reservation ever has.

create table liquidity_reservation (
  id           uuid primary key,
  tenant       int not null,
  client       uuid not null,
  account      bigint not null unique,       -- POOL_RESERVED, numbered within tenant and currency
  amount_minor bigint not null,
  made_ms      bigint not null,
  expires_ms   bigint not null,
  ended_ms     bigint,                       -- nothing is left in its account, for ever
  constraint reserves_something check (amount_minor > 0),
  constraint account_is_its_own check (account >> 42 = tenant and (account >> 24 & 255) = 26)
);
create index liquidity_reservation_open on liquidity_reservation (tenant, expires_ms)
  where ended_ms is null;

select keep_tenants_apart('liquidity_reservation', 'select, insert, update');
