-- Customers save recipients and get a new PIN when they forgot theirs; locks grow longer.
-- The older code knows no lock without an end: it becomes the longest that has one.
drop table recipient;
update customer set pin_locked_until = now() + interval '24 hours' where pin_locks >= 4;
alter table customer
  drop column pin_locks,
  drop column pin_reset_asked_at,
  drop column pin_reset_until,
  drop column pin_reset_by,
  drop column tier_paused_until;
