-- One door for every change of money: a batch of plans in, one verdict per plan out.
-- Nothing here knows what a payment's states mean; it only knows the laws.
--
-- Runs in read committed. Verdicts: 0 applied, 1 duplicate, 2 conflict, 3 stale, 4 insufficient,
-- 5 unbalanced, 7 over a limit (6 is the caller's own). Version 0 means "create", -1 means "note": no compare-and-set and no journal row,
-- only evidence kept and intents struck off. due 0 is none. ends/begins: the attempt that
-- stops/starts being live. in_force: the version whose facts are in force. spend: what the plan counts
-- against a customer's limits, or gives back (below zero). firsts: for every plan the first one in this batch with the same key or
-- payment; later ones never apply. low/high bound the payments of the batch, so that only the
-- partitions they lie in are opened.
--
-- careful = false: no look and no early lock; the writes themselves say who applied, and the hot
-- balance rows come last. If the money does not suffice never_below_zero undoes the batch (23514),
-- and the caller repeats it with careful = true: lock first, walk the plans in order, refuse
-- exactly those that do not fit.
--
-- Order of locks everywhere: spending (sorted), keys (sorted), payments, balances (sorted).
create function commit_plans(
  careful boolean, at_ms bigint, low uuid, high uuid,
  ids uuid[], firsts int[], versions int[], tenants int[], states smallint[], dues bigint[],
  keys text[], hashes uuid[], customers uuid[], facts text[],
  ends uuid[], begins uuid[], directions smallint[], operators smallint[],
  ways smallint[], in_force int[],
  leg_from int[], leg_to int[],
  leg_plan int[], leg_debit bigint[], leg_credit bigint[], leg_amount bigint[],
  out_plan int[], out_id uuid[], out_kind smallint[], out_payload text[],
  out_not_before bigint[], out_lease bigint[],
  done_plan int[], done_id uuid[],
  ev_plan int[], ev_attempt uuid[], ev_hash uuid[], ev_source smallint[], ev_body text[],
  spend_plan int[], spend_customer uuid[], spend_currency smallint[], spend_day int[],
  spend_month int[], spend_minor bigint[], spend_day_max bigint[], spend_month_max bigint[],
  out verdict smallint[], out known uuid[])
language plpgsql
-- Plans made on empty tables must not stick, and arrays must not be planned as constants.
set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off
set plan_cache_mode = force_generic_plan
as $$
#variable_conflict use_column
declare
  n_plans int := cardinality(ids); n_created int := 0; n_moved int := 0; n_noted int := 0;
  created uuid[]; moved int[]; bad boolean; accounts bigint[]; deltas bigint[]; found_ int;
  taken int[] := '{}';
begin
  verdict := array_fill(0::smallint, array[n_plans]);

  -- A transfer is balanced if both accounts lie in one book and the amount is positive.
  select * into accounts, deltas, bad from deltas(null, leg_plan, leg_debit, leg_credit, leg_amount);
  if bad then
    select array_agg(case when n = any(w.plans) then 5 else 0 end) into verdict
      from generate_series(1, n_plans) n, (select array_agg(leg_plan[i]) plans
        from generate_subscripts(leg_plan, 1) i
        where leg_amount[i] <= 0 or leg_debit[i] >> 32 <> leg_credit[i] >> 32) w;
  end if;
  if careful then
    verdict := refuse_short(verdict, ids, firsts, versions, tenants, keys,
                            leg_plan, leg_debit, leg_credit, leg_amount);
  end if;

  if spend_plan <> '{}' then
    select * into verdict, taken from count_spending(verdict, firsts, tenants, keys,
      spend_plan, spend_customer, spend_currency, spend_day, spend_month, spend_minor, spend_day_max,
      spend_month_max);
  end if;

  if 0 = any(versions) then
    with c as (
      insert into payment_key (tenant, key, payment, hash)
        select tenants[n], keys[n], ids[n], hashes[n] from generate_series(1, n_plans) n
         where versions[n] = 0 and firsts[n] = n and verdict[n] = 0 order by tenants[n], keys[n]
      on conflict (tenant, key) do nothing returning payment)
    select array_agg(payment), count(*) into created, n_created from c;
    insert into payment (id, tenant, state, version, due, live, way, terms, customer)
      select ids[n], tenants[n], states[n], 1, nullif(dues[n], 0), begins[n], ways[n], in_force[n], customers[n]
        from generate_series(1, n_plans) n
       where versions[n] = 0 and firsts[n] = n and verdict[n] = 0
         and (n_created = n_plans or ids[n] = any(created));
  end if;
  if 0 < any(versions) then
    with m as (
      update payment p set state = states[n], version = p.version + 1, due = nullif(dues[n], 0),
                           live = coalesce(begins[n], case when ends[n] is null then live end),
                           way = ways[n], terms = in_force[n]
        from generate_series(1, n_plans) n
       where versions[n] > 0 and firsts[n] = n and verdict[n] = 0
         and p.id = ids[n] and p.id >= low and p.id <= high
         and p.version = versions[n] and p.tenant = tenants[n]
         and (ends[n] = live or ends[n] is null and (begins[n] is null or live is null))
      returning n)
    select array_agg(n), count(*) into moved, n_moved from m;
  end if;
  if 0 > any(versions) then
    select count(*) into n_noted from unnest(versions) v where v < 0;
  end if;
  if n_created + n_moved + n_noted < n_plans then  -- someone was refused: who and why
    select array_agg(case
             when verdict[n] > 3 then verdict[n]
             when p.version < 0 then 0
             when p.version > 0 then case when n = any(moved) then 0 else 3 end
             when p.id = any(created) then 0
             when old.payment is not null and first = n then case when old.hash = p.hash then 1 else 2 end
             when verdict[first] > 3 then 3                    -- its first plan is not stored: ask again
             when p.hash = hashes[first] then 1 else 2 end::smallint order by n),
           array_agg(case when p.version = 0 then
             coalesce(old.payment, case when verdict[first] = 0 then ids[first] end) end order by n)
      into verdict, known
      from unnest(ids, firsts, versions, tenants, keys, hashes) with ordinality
             p(id, first, version, tenant, key, hash, n)
      left join payment_key old on old.tenant = p.tenant and old.key = p.key and p.version = 0;
  end if;

  if 0 > any(spend_minor) or taken <> '{}' and 0 < any(verdict) then
    perform give_spending_back(verdict, taken, tenants, spend_plan, spend_customer, spend_currency,
                               spend_day, spend_month, spend_minor);
  end if;

  insert into journal (payment, version, tenant, state, at_ms, debits, credits, amounts, facts)
    select ids[n], versions[n] + 1, tenants[n], states[n], at_ms, leg_debit[leg_from[n]:leg_to[n]],
           leg_credit[leg_from[n]:leg_to[n]], leg_amount[leg_from[n]:leg_to[n]], facts[n]
      from generate_series(1, n_plans) n where verdict[n] = 0 and versions[n] >= 0;
  insert into attempt (id, payment, tenant, direction, operator)
    select begins[n], ids[n], tenants[n], directions[n], operators[n]
      from generate_series(1, n_plans) n where begins[n] is not null and verdict[n] = 0;
  if out_plan <> '{}' then
    insert into outbox (id, payment, tenant, kind, payload, not_before, lease_until)
      select out_id[i], ids[out_plan[i]], tenants[out_plan[i]], out_kind[i], out_payload[i],
             out_not_before[i], out_lease[i]
        from generate_subscripts(out_plan, 1) i where verdict[out_plan[i]] = 0;
  end if;
  if done_plan <> '{}' then
    delete from outbox where id = any(array(
      select done_id[i] from generate_subscripts(done_plan, 1) i where verdict[done_plan[i]] = 0));
  end if;
  -- What the outside told us is kept whatever became of the plan that it led to.
  if ev_plan <> '{}' then
    insert into evidence (attempt, hash, payment, tenant, at_ms, source, body)
      select ev_attempt[i], ev_hash[i], ids[ev_plan[i]], tenants[ev_plan[i]], at_ms, ev_source[i], ev_body[i]
        from generate_subscripts(ev_plan, 1) i order by ev_attempt[i], ev_hash[i]
    on conflict do nothing;
  end if;

  if 0 < any(verdict) then
    select * into accounts, deltas from deltas(verdict, leg_plan, leg_debit, leg_credit, leg_amount);
  end if;
  if accounts is not null then
    perform from balance where id = any(accounts) order by id for update;
    get diagnostics found_ = row_count;
    if found_ < cardinality(accounts) then
      raise exception 'unknown account' using errcode = 'P0002';
    end if;
    update balance b set amount = b.amount + d.delta
      from unnest(accounts, deltas) d(account, delta) where b.id = d.account and d.delta <> 0;
  end if;
end $$;

-- What the applied plans do to each account; bad: some transfer is none.
create function deltas(
  verdict smallint[], leg_plan int[], leg_debit bigint[], leg_credit bigint[], leg_amount bigint[],
  out accounts bigint[], out deltas bigint[], out bad boolean)
language plpgsql stable as $$
begin
  select array_agg(account), array_agg(delta), bool_or(wrong) into accounts, deltas, bad from (
    with pair as materialized (
      select leg_debit[i] as debit, leg_credit[i] as credit, sum(leg_amount[i]) as amount,
             min(leg_amount[i]) <= 0 as wrong
        from generate_subscripts(leg_plan, 1) i
       where verdict is null or verdict[leg_plan[i]] = 0 group by 1, 2)
    select account, sum(amount)::bigint as delta, bool_or(wrong) as wrong from (
      select debit, -amount, wrong or debit >> 32 <> credit >> 32 from pair
      union all select credit, amount, wrong from pair) x(account, amount, wrong)
     group by account) d;
end $$;

-- Exact and slow: lock, then take plans in order; one whose debits do not fit is refused alone.
create function refuse_short(
  verdict smallint[], ids uuid[], firsts int[], versions int[], tenants int[], keys text[],
  leg_plan int[], leg_debit bigint[], leg_credit bigint[], leg_amount bigint[])
returns smallint[] language plpgsql as $$
#variable_conflict use_column
declare
  accounts bigint[]; have bigint[]; guards boolean[]; r record; fits boolean; would boolean[];
begin
  perform from payment where id = any(ids) order by id for update;
  perform from balance where id = any(leg_debit || leg_credit) order by id for update;
  select array_agg(id order by id), array_agg(amount order by id), array_agg(guarded order by id)
    into accounts, have, guards from balance where id = any(leg_debit || leg_credit);
  if exists (select from unnest(leg_debit || leg_credit) a where a = any(accounts) is not true) then
    raise exception 'unknown account' using errcode = 'P0002';
  end if;
  select array_agg(first = n and case when p.version = 0 then old.payment is null
                                      else p.version = coalesce(now_.version, 0) end order by n)
    into would
    from unnest(ids, firsts, versions, tenants, keys) with ordinality p(id, first, version, tenant, key, n)
    left join payment now_ on now_.id = p.id
    left join payment_key old on old.tenant = p.tenant and old.key = p.key and p.version = 0;
  for r in select plan, array_agg(array_position(accounts, account)) as ks, array_agg(amount) as xs from (
             select plan, account, sum(amount)::bigint as amount from (
               select plan, debit, -amount from unnest(leg_plan, leg_debit, leg_amount) l(plan, debit, amount)
               union all
               select plan, credit, amount from unnest(leg_plan, leg_credit, leg_amount) l(plan, credit, amount)
             ) x(plan, account, amount)
              where verdict[plan] = 0 and would[plan] group by 1, 2) y
            group by plan order by plan loop
    fits := true;
    for i in 1 .. cardinality(r.ks) loop
      fits := fits and (r.xs[i] >= 0 or not guards[r.ks[i]] or have[r.ks[i]] + r.xs[i] >= 0);
    end loop;
    if fits then
      for i in 1 .. cardinality(r.ks) loop have[r.ks[i]] := have[r.ks[i]] + r.xs[i]; end loop;
    else
      verdict[r.plan] := 4;
    end if;
  end loop;
  return verdict;
end $$;

-- Count what plans would spend against their customers' limits; who would pass one is refused.
-- Exact under concurrency: the row is the lock. taken: the numbers of what was counted.
create function count_spending(
  inout verdict smallint[], firsts int[], tenants int[], keys text[],
  spend_plan int[], spend_customer uuid[], spend_currency smallint[], spend_day int[],
  spend_month int[], spend_minor bigint[], spend_day_max bigint[], spend_month_max bigint[],
  out taken int[])
language plpgsql
set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off
set plan_cache_mode = force_generic_plan
as $$
#variable_conflict use_column
declare
  asked_ int[]; groups int; together int[]; item int;
  by_tenant int[]; by_customer uuid[]; by_currency smallint[];
begin
  if 0 > any(spend_minor) then  -- what is given back later is locked now, in the same order
    perform from spending where customer = any(spend_customer)
      order by tenant, customer, currency for update;
  end if;
  asked_ := array(select i from generate_subscripts(spend_plan, 1) i
    where spend_minor[i] > 0 and verdict[spend_plan[i]] = 0 and firsts[spend_plan[i]] = spend_plan[i]);
  -- All of a customer's plans in the batch together; nearly always that is one, and it fits.
  with asked as (
    select tenants[spend_plan[i]] as tenant, spend_customer[i] as customer, spend_currency[i] as currency,
           max(spend_day[i]) as day, max(spend_month[i]) as month, sum(spend_minor[i])::bigint as minor,
           min(spend_day_max[i]) as day_max, min(spend_month_max[i]) as month_max
      from unnest(asked_) i group by 1, 2, 3),
  counted as (
    insert into spending as s (tenant, customer, currency, day, day_minor, day_minor_max,
                               month, month_minor, month_minor_max)
      select tenant, customer, currency, day, minor, day_max, month, minor, month_max from asked
       where minor <= day_max and minor <= month_max order by tenant, customer, currency
    on conflict (tenant, customer, currency) do update
       set day = greatest(s.day, excluded.day), month = greatest(s.month, excluded.month),
           day_minor = case when s.day >= excluded.day then s.day_minor else 0 end + excluded.day_minor,
           month_minor = case when s.month >= excluded.month then s.month_minor else 0 end + excluded.month_minor,
           day_minor_max = excluded.day_minor_max, month_minor_max = excluded.month_minor_max
     where case when s.day >= excluded.day then s.day_minor else 0 end + excluded.day_minor <= excluded.day_minor_max
       and case when s.month >= excluded.month then s.month_minor else 0 end + excluded.month_minor <= excluded.month_minor_max
    returning tenant, customer, currency)
  select (select count(*) from asked), array_agg(tenant), array_agg(customer), array_agg(currency)
    into groups, by_tenant, by_customer, by_currency from counted;
  taken := asked_;
  if groups = coalesce(cardinality(by_customer), 0) then
    return;
  end if;
  together := array(select i from unnest(asked_) i where not exists (
    select from unnest(by_tenant, by_customer, by_currency) c(tenant, customer, currency)
     where c.tenant = tenants[spend_plan[i]] and c.customer = spend_customer[i]
       and c.currency = spend_currency[i]) order by i);
  taken := array(select i from unnest(asked_) i where i <> all(together));
  foreach item in array together loop  -- together they are too much: one after the other
    insert into spending as s (tenant, customer, currency, day, day_minor, day_minor_max,
                               month, month_minor, month_minor_max)
      select tenants[spend_plan[item]], spend_customer[item], spend_currency[item],
             spend_day[item], spend_minor[item], spend_day_max[item],
             spend_month[item], spend_minor[item], spend_month_max[item]
       where spend_minor[item] <= spend_day_max[item] and spend_minor[item] <= spend_month_max[item]
    on conflict (tenant, customer, currency) do update
       set day = greatest(s.day, excluded.day), month = greatest(s.month, excluded.month),
           day_minor = case when s.day >= excluded.day then s.day_minor else 0 end + excluded.day_minor,
           month_minor = case when s.month >= excluded.month then s.month_minor else 0 end + excluded.month_minor,
           day_minor_max = excluded.day_minor_max, month_minor_max = excluded.month_minor_max
     where case when s.day >= excluded.day then s.day_minor else 0 end + excluded.day_minor <= excluded.day_minor_max
       and case when s.month >= excluded.month then s.month_minor else 0 end + excluded.month_minor <= excluded.month_minor_max;
    if found then
      taken := taken || item;
    elsif not exists (select from payment_key k where k.tenant = tenants[spend_plan[item]]
                                                  and k.key = keys[spend_plan[item]]) then
      verdict[spend_plan[item]] := 7;  -- a repeat was counted when it came first
    end if;
  end loop;
end $$;

-- Undo what was counted: of plans that were refused after all, and what applied plans give back.
-- Only what still counts in the row's day and month is taken off.
create function give_spending_back(
  verdict smallint[], taken int[], tenants int[],
  spend_plan int[], spend_customer uuid[], spend_currency smallint[], spend_day int[],
  spend_month int[], spend_minor bigint[]) returns void
language plpgsql
set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off
set plan_cache_mode = force_generic_plan
as $$
#variable_conflict use_column
begin
  update spending s set day_minor = greatest(s.day_minor - back.day_minor, 0),
                        month_minor = greatest(s.month_minor - back.month_minor, 0)
    from (select r.tenant, r.customer, r.currency,
                 sum(case when spend_day[i] >= r.day then abs(spend_minor[i]) else 0 end) as day_minor,
                 sum(case when spend_month[i] >= r.month then abs(spend_minor[i]) else 0 end) as month_minor
            from generate_subscripts(spend_plan, 1) i
            join spending r on r.tenant = tenants[spend_plan[i]] and r.customer = spend_customer[i]
                           and r.currency = spend_currency[i]
           where case when spend_minor[i] < 0 then verdict[spend_plan[i]] = 0
                      else verdict[spend_plan[i]] > 0 and i = any(taken) end
           group by 1, 2, 3) back
   where s.tenant = back.tenant and s.customer = back.customer and s.currency = back.currency;
end $$;
