-- The last guess at a PIN, as a digest of the turn that brought it and of its MAC: the same again is
-- compared, and not counted. It tells nobody which PIN it was.
alter table customer add column pin_guess bytea;
