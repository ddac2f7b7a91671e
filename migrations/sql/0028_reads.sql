-- What is read of payments costs the same however many months are stored. A join of partitioned tables
-- was planned anew for each question, with every month in the plan: 3.3 ms of Postgres for one payment
-- among fifteen months, where these take 0.2. Why functions: engine/payments/decisions/0025.
-- In the first two, only the months that hold what is asked for are opened, and a limit that no answer reaches
-- has each row looked up by itself, whatever the planner guesses of how many are asked for. A plan that
-- was made while a month was empty must not stick, so none reads a table whole.

create function payments_by_id(ids uuid[])
returns table (id uuid, state smallint, version int, live uuid, way smallint, terms int, facts text)
language plpgsql stable
set plan_cache_mode = force_generic_plan
set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off
as $$
#variable_conflict use_column
declare
  ordered uuid[] := array(select k from unnest(ids) k order by k);
  low uuid := ordered[1];
  high uuid := ordered[cardinality(ordered)];
begin
  return query
    select p.id, p.state, p.version, p.live, p.way, p.terms, j.facts
      from unnest(ordered) k(id)
     cross join lateral (select * from payment p
                          where p.id = k.id and p.id >= low and p.id <= high limit 1) p
     cross join lateral (select j.facts from journal j
                          where j.payment = k.id and j.version = p.terms
                            and j.payment >= low and j.payment <= high limit 1) j;
end $$;

-- An attempt's payment may be of another month than the attempt.
create function payments_by_attempt(attempts uuid[])
returns table (attempt uuid, direction smallint, operator smallint, id uuid, state smallint,
               version int, live uuid, way smallint, terms int, facts text)
language plpgsql stable
set plan_cache_mode = force_generic_plan
set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off
as $$
#variable_conflict use_column
declare
  ordered uuid[] := array(select k from unnest(attempts) k order by k);
  low uuid := ordered[1];
  high uuid := ordered[cardinality(ordered)];
  found_ uuid[]; directions smallint[]; operators smallint[]; of_payments uuid[];
begin
  select array_agg(a.id order by a.payment), array_agg(a.direction order by a.payment),
         array_agg(a.operator order by a.payment), array_agg(a.payment order by a.payment)
    into found_, directions, operators, of_payments
    from unnest(ordered) k(id)
   cross join lateral (select * from attempt a
                        where a.id = k.id and a.id >= low and a.id <= high limit 1) a;
  low := of_payments[1];
  high := of_payments[cardinality(of_payments)];
  return query
    select k.attempt, k.direction, k.operator, p.id, p.state, p.version, p.live, p.way, p.terms,
           j.facts
      from unnest(found_, directions, operators, of_payments) k(attempt, direction, operator, id)
     cross join lateral (select * from payment p
                          where p.id = k.id and p.id >= low and p.id <= high limit 1) p
     cross join lateral (select j.facts from journal j
                          where j.payment = k.id and j.version = p.terms
                            and j.payment >= low and j.payment <= high limit 1) j;
end $$;

-- What a customer sent, the newest first: those made since that id. A collection that nobody has
-- claimed yet may be withdrawn.
create function payments_sent(of_tenant int, by_customer uuid, since uuid, most int,
                              collecting smallint)
returns table (id uuid, state smallint, version int, live uuid, way smallint, terms int, facts text,
               may_cancel boolean, incoming boolean)
language plpgsql stable
set plan_cache_mode = force_generic_plan
set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off set enable_sort = off
as $$
#variable_conflict use_column
begin
  return query
    select p.id, p.state, p.version, p.live, p.way, p.terms, j.facts, o.id is not null, false
      from (select * from payment p
             where p.tenant = of_tenant and p.customer = by_customer and p.id >= since
             order by p.id desc limit most) p
     cross join lateral (select j.facts from journal j
                          where j.payment = p.id and j.version = p.terms limit 1) j
      left join lateral (select o.id from outbox o
                          where o.id = p.live and o.sent_at is null and p.state = collecting
                          limit 1) o on true
     order by p.id desc;
end $$;

-- What arrived at a number, as its payment's terms have it (`journal_payee`), the newest first.
create function payments_received(of_tenant int, payee text, most int, paid smallint)
returns table (id uuid, state smallint, version int, live uuid, way smallint, terms int, facts text,
               may_cancel boolean, incoming boolean)
language plpgsql stable
set plan_cache_mode = force_generic_plan
set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off set enable_sort = off
as $$
#variable_conflict use_column
begin
  return query
    select p.id, p.state, p.version, p.live, p.way, p.terms, j.facts, false, true
      from (select i.payment from journal i
             where i.tenant = of_tenant and i.version = 1 and split_part(i.facts, '"', 6) = payee
             order by i.payment desc offset 0) i
     cross join lateral (select * from payment p
                          where p.id = i.payment and p.tenant = of_tenant and p.state = paid
                          limit 1) p
     cross join lateral (select j.facts from journal j
                          where j.payment = p.id and j.version = p.terms limit 1) j
     order by i.payment desc limit most;
end $$;

-- What a client asked for (`journal_client`), the newest first: those made before that id.
create function payments_of_client(of_tenant int, client text, before uuid, most int)
returns table (id uuid, state smallint, version int, live uuid, way smallint, terms int, facts text)
language plpgsql stable
set plan_cache_mode = force_generic_plan
set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off set enable_sort = off
as $$
#variable_conflict use_column
begin
  return query
    select p.id, p.state, p.version, p.live, p.way, p.terms, j.facts
      from (select i.payment from journal i
             where i.version = 1 and split_part(i.facts, '"', -2) = client
               and i.facts not like '%""]' and i.tenant = of_tenant and i.payment < before
             order by i.payment desc limit most) i
     cross join lateral (select * from payment p
                          where p.id = i.payment and p.tenant = of_tenant limit 1) p
     cross join lateral (select j.facts from journal j
                          where j.payment = p.id and j.version = p.terms limit 1) j
     order by i.payment desc;
end $$;

-- Old delivery reports are found by their time; every sweep walked all of them to find none.
create index sms_report_at on sms_report (tenant, at_ms);
