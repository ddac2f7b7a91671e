-- A look for work must not walk what is not due yet (engine/payments/decisions/0046). The moment stands in a
-- column of its own, and only rows that were put off have one: an index on lease_until, however partial, would
-- have every claim of the hot path write a new entry into the key as well. What was put off before this step
-- is found as it was, at most a minute late.
alter table outbox add column put_off_until bigint;
create index outbox_put_off on outbox (put_off_until) where put_off_until is not null;
