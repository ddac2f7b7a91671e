-- More of what is read all the time costs the same however many months are stored, as in 0028.

-- A person's own payments whose ids end so, which a code says: as payer those made since that id; as
-- payee, under each name that a number may stand under, those that have arrived. A collection that
-- nobody has claimed yet may be withdrawn.
create function payments_ending(of_tenant int, by_customer uuid, since uuid, payees text[],
                                ending text, collecting smallint, paid smallint)
returns table (id uuid, state smallint, version int, live uuid, way smallint, terms int, facts text,
               may_cancel boolean, incoming boolean)
language plpgsql stable
set plan_cache_mode = force_generic_plan
set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off
as $$
#variable_conflict use_column
declare
  sent uuid[] := array(
    select p.id from payment p
     where p.tenant = of_tenant and p.customer = by_customer and p.id >= since
       and right(p.id::text, 12) = ending);
  received uuid[] := array(
    select i.payment
      from unnest(payees) k(payee)
     cross join lateral (select i.payment from journal i
                          where i.tenant = of_tenant and i.version = 1
                            and split_part(i.facts, '"', 6) = k.payee
                            and right(i.payment::text, 12) = ending offset 0) i);
begin
  return query
    select p.id, p.state, p.version, p.live, p.way, p.terms, p.facts, o.id is not null, false
      from payments_by_id(sent) p
      left join outbox o on o.id = p.live and o.sent_at is null and p.state = collecting
    union all
    select p.*, false, true from payments_by_id(received) p where p.state = paid;
end $$;

-- What was told of attempts by one source. Only the months that hold what is asked for are opened.
create function evidence_from(attempts uuid[], told_by smallint)
returns table (attempt uuid, bodies text[])
language plpgsql stable
set plan_cache_mode = force_generic_plan
set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off
as $$
#variable_conflict use_column
declare
  ordered uuid[] := array(select k from unnest(attempts) k order by k);
  low uuid := ordered[1];
  high uuid := ordered[cardinality(ordered)];
begin
  return query
    select k.id, e.bodies
      from unnest(ordered) k(id)
     cross join lateral (select array_agg(e.body) as bodies from evidence e
                          where e.attempt = k.id and e.source = told_by
                            and e.attempt >= low and e.attempt <= high) e
     where e.bodies is not null;
end $$;
