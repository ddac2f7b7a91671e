-- A payment begins where its first step leads, and nowhere else: also where code of ours or a hand at the
-- database would have it otherwise (engine/payments/decisions/0043). Asked of the row alone, in the statement
-- that stores it; what it refuses is refused alone, with its state.
create function refuse_beginning() returns trigger language plpgsql as $$
begin
  raise exception 'no payment begins in state %', new.state
    using errcode = 'check_violation', constraint = 'known_beginnings', table = 'payment';
end $$;

-- `lifecycle.moves` from NEW is the same; a test holds the two together. From 100 on are the entries that
-- people make, each with proposals of its own. A dump makes rules last, after the rows, so a restore meets none.
create trigger known_beginnings after insert on payment for each row
  when (new.state <> 3 and new.state < 100)
  execute function refuse_beginning();
