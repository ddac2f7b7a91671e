-- Terms that were written before keys were set are sealed where they stand (`capp data seal`). Of a
-- row of the journal a tenant's role may exchange the two numbers in its terms, plain or sealed later,
-- for the same sealed, and nothing else. What was exchanged for something else, the auditor finds: it
-- opens them, and digests the row as it was written.

select keep_tenants_apart('journal', 'select, insert, update (facts)');

-- The facts with payer and payee left out, and how they stand: plain, sealed later, or otherwise.
create function numbers_in_terms(facts text, out rest text[], out kind text)
language plpgsql immutable as $$
declare at int;
begin
  at := case when left(facts, 3) = '[["' then 1 else nullif(strpos(facts, '"terms":[["'), 0) + 8 end;
  rest := left(facts, at - 1) || string_to_array(substr(facts, at), '"');
  kind := case
    when rest[5] ~ '^\+[0-9]{7,15}$' and rest[7] ~ '^\+[0-9]{7,15}$' then 'plain'
    when rest[5] ~ '^later\.v1\.[0-9]{1,9}\.[A-Za-z0-9+/]{58,}={0,2}$'
     and rest[7] ~ '^m[0-9]{1,9}\.[A-Za-z0-9+/]{22}$' then 'later' end;
  rest[5] := '';
  rest[7] := '';
end $$;

create function keep_journal() returns trigger language plpgsql set search_path from current as $$
declare before record; after record;
begin
  before := numbers_in_terms(old.facts);
  after := numbers_in_terms(new.facts);
  if before.kind in ('plain', 'later') and after.kind = 'later' and before.rest = after.rest
     and (new.payment, new.version, new.tenant, new.state, new.at_ms, new.debits, new.credits,
          new.amounts) is not distinct from
         (old.payment, old.version, old.tenant, old.state, old.at_ms, old.debits, old.credits,
          old.amounts) then
    return new;
  end if;
  raise exception 'the journal is append-only' using errcode = 'integrity_constraint_violation';
end $$;
create trigger journal_is_kept before update on journal
  for each row when (current_tenant() is not null) execute function keep_journal();
