-- A payment goes from one state to another as a step of it leads, and no other way: also where code of ours
-- or a hand at the database would have it otherwise (engine/payments/decisions/0042). Asked of the row as it
-- was and as it is, in the statement that moves it; what it refuses is refused alone, with both states.
create function refuse_move() returns trigger language plpgsql as $$
begin
  raise exception 'no step leads from state % to %', old.state, new.state
    using errcode = 'check_violation', constraint = 'known_moves', table = 'payment';
end $$;

-- From state times a hundred, and to. `lifecycle.moves` is the same; a test holds the two together. From 100
-- on are the entries that people make, each with proposals of its own.
create trigger known_moves after update of state on payment for each row
  when ((old.state < 100 or new.state < 100) and old.state::int * 100 + new.state <> all ('{
    203,
    304,306,307,308,312,313,316,317,318,
    406,407,408,412,413,416,
    506,507,508,512,513,
    607,608,612,613,
    706,707,708,711,712,713,
    806,807,808,809,811,812,813,
    906,907,908,911,912,913,
    1006,1007,1008,1012,1013,
    1120,
    1213,1215,
    1312,1314,1315,
    1412,1415,
    1612,1613,
    1712,1713,
    1812,1813,
    1912,1913,
    2006,2007,2008,2011,2012,2013}'::int[]))
  execute function refuse_move();
