-- at_ms orders the rates of a pair and names them; behind a moment at which a clock was ahead it lies
-- ahead as well, and no rate that came later would ever be stale. Rows of before, and of the table that
-- people keep, have none: theirs is at_ms.
alter table fx_rate add column accepted_ms bigint;
