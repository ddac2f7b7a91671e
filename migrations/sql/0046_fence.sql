-- No commit writes into history that the auditor has said it seals: how far that is stands in a row, and
-- every commit reads it (engine/ledger/decisions/0011). The commit anew, for one line of it.

create table audit_fence (          -- how far the auditor seals, said before it does
  tenant   int primary key,
  until_ms bigint not null          -- no row that is committed from now on is older
);
select keep_tenants_apart('audit_fence', 'select, insert, update');

-- One door for every change of money: a batch of plans in, one verdict per plan out.
-- Nothing here knows what a payment's states mean; it only knows the laws.
--
-- Runs in read committed. Verdicts: 0 applied, 1 duplicate, 2 conflict, 3 stale, 4 insufficient,
-- 5 unbalanced, 7 over a limit (6 is the caller's own). Version 0 means "create", -1 means "note":
-- no compare-and-set and no journal row, only evidence kept and intents struck off; a note that
-- would move or count something is unbalanced. due 0 is none. ends/begins: the attempt that
-- stops/starts being live. in_force: the version whose facts are in force. spend: what the plan
-- counts against a customer's limits, or gives back (below zero); with both maxima 2^62 it is money that
-- came late, which counts in its own day and month and not in newer ones. firsts: for every plan the first
-- one in this batch with the same key or payment; later ones never apply. low/high bound the
-- payments of the batch, so that only the partitions they lie in are opened.
--
-- care = 0: no look and no early lock; the writes themselves say who applied, and the hot balance
-- rows come last. If the money does not suffice never_below_zero undoes the batch (23514), and the
-- caller repeats it with care = 2: lock first, take the plans in order, refuse exactly those that do
-- not fit. Only a plan that will be applied takes money or counts. A count that cannot be undone, or
-- another writer who came between, is a serialization failure (40001): the caller repeats with
-- care = 1, where limits are counted in order too but money is not, so that the order of the plans
-- decides about money only when money is short.
--
-- Order of locks everywhere: spending (sorted), keys (sorted), payments, balances (sorted).
--
-- Inside, the current user is the owner, whom no rule of a tenant holds. Who called is the role that the
-- session took on, or else its login; neither can be made up, and a function like this one changes neither.
-- A tenant's role commits plans of its tenant that move accounts of its tenant, whose numbers begin
-- with it; payments, keys, intents and limits are then found by the tenant as well. Whoever may become
-- the owner commits anything.
create or replace function commit_plans(
  care int, at_ms bigint, low uuid, high uuid,
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
language plpgsql security definer
-- Plans made on empty tables must not stick, and arrays must not be planned as constants.
set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off
set plan_cache_mode = force_generic_plan
as $$
#variable_conflict use_column
declare
  caller text := coalesce(nullif(current_setting('role'), 'none'), session_user);
  tenant_ bigint := tenants[1];
  last_of_tenant bigint := (tenant_ << 42) + ((1::bigint << 42) - 1);  -- the first of the next may be too large
  unlimited constant bigint := 1::bigint << 62;
  n_plans int := cardinality(ids); n_created int := 0; n_moved int := 0;
  n_noted int := cardinality(array_positions(versions, -1));
  created uuid[]; moved int[]; accounts bigint[]; deltas bigint[]; found_ int;
  groups int; by_tenant int[]; by_customer uuid[]; by_currency smallint[];
  walked int[] := '{}';  -- plans that are taken in order, and what of theirs counts
  items int[] := '{}'; foreseen smallint[];
begin
  if (caller = 'capp_tenant_' || tenant_ and tenant_ = all (tenants)
      and tenant_ << 42 <= all (leg_debit) and last_of_tenant >= all (leg_debit)
      and tenant_ << 42 <= all (leg_credit) and last_of_tenant >= all (leg_credit)) is not true
    and not pg_has_role(caller, current_user, 'member') then
    raise exception 'a plan of another tenant' using errcode = 'insufficient_privilege';
  end if;
  verdict := array_fill(0::smallint, array[n_plans]);

  -- A transfer is balanced if both accounts lie in one book and the amount is positive.
  if exists (select from generate_subscripts(leg_plan, 1) i
              where leg_amount[i] <= 0 or leg_debit[i] >> 32 <> leg_credit[i] >> 32)
    or n_noted > 0 and exists (select from generate_series(1, n_plans) n
      where versions[n] < 0
        and (leg_from[n] <= leg_to[n] or begins[n] is not null or n = any(spend_plan))) then
    select array_agg(v order by n), count(*) filter (where v = 0 and versions[n] < 0)
      into verdict, n_noted
      from (select n, case
             when n = any(w.plans) then 5
             when versions[n] >= 0 then 0
             when leg_from[n] <= leg_to[n] or begins[n] is not null or n = any(spend_plan) then 5
             else 0 end::smallint as v
        from generate_series(1, n_plans) n, (select array_agg(leg_plan[i]) plans
          from generate_subscripts(leg_plan, 1) i
          where leg_amount[i] <= 0 or leg_debit[i] >> 32 <> leg_credit[i] >> 32) w) p;
  end if;

  if care > 0 then
    walked := array(select n from generate_series(1, n_plans) n);
    items := array(select i from generate_subscripts(spend_plan, 1) i where verdict[spend_plan[i]] = 0);
  elsif spend_plan <> '{}' then
    -- What plans would spend against their customers' limits is counted all of a customer's together.
    -- Exact under concurrency: the row is the lock. Who gives back as well, or spends on two days, is
    -- locked and counted as nothing, and so is who spends beside money of theirs that came late. For whom
    -- it is too much is taken in order.
    if 0 > any(spend_minor) then  -- what is given back later is locked now, in the same order
      perform from spending where tenant = any(tenants) and customer = any(spend_customer)
        order by tenant, customer, currency for update;
    end if;
    with asked as (
      select tenants[spend_plan[i]] as tenant, spend_customer[i] as customer, spend_currency[i] as currency,
             max(spend_day[i]) as day, max(spend_month[i]) as month, sum(spend_minor[i])::bigint as minor,
             min(spend_day_max[i]) as day_max, min(spend_month_max[i]) as month_max,
             min(spend_minor[i]) >= 0 and min(spend_day[i]) = max(spend_day[i])
               and min(spend_month[i]) = max(spend_month[i])
               and sum(spend_minor[i]) <= least(min(spend_day_max[i]), min(spend_month_max[i]))
               and (least(min(spend_day_max[i]), min(spend_month_max[i])) = unlimited
                    or max(least(spend_day_max[i], spend_month_max[i])) < unlimited) as fits
        from generate_subscripts(spend_plan, 1) i
       where verdict[spend_plan[i]] = 0 and firsts[spend_plan[i]] = spend_plan[i]
       group by 1, 2, 3 having max(spend_minor[i]) > 0),
    counted as (
      insert into spending as s (tenant, customer, currency, day, day_minor, day_minor_max,
                                 month, month_minor, month_minor_max)
        select tenant, customer, currency,
               case when fits then day else 0 end, case when fits then minor else 0 end, day_max,
               case when fits then month else 0 end, case when fits then minor else 0 end, month_max
          from asked order by tenant, customer, currency
      on conflict (tenant, customer, currency) do update
         set day = greatest(s.day, excluded.day), month = greatest(s.month, excluded.month),
             day_minor = case when s.day >= excluded.day then s.day_minor else 0 end
               + case when s.day > excluded.day and least(excluded.day_minor_max, excluded.month_minor_max) = unlimited
                      then 0 else excluded.day_minor end,
             month_minor = case when s.month >= excluded.month then s.month_minor else 0 end
               + case when s.month > excluded.month and least(excluded.day_minor_max, excluded.month_minor_max) = unlimited
                      then 0 else excluded.month_minor end,
             day_minor_max = excluded.day_minor_max, month_minor_max = excluded.month_minor_max
       where excluded.day_minor > 0
         and case when s.day >= excluded.day then s.day_minor else 0 end + excluded.day_minor <= excluded.day_minor_max
         and case when s.month >= excluded.month then s.month_minor else 0 end + excluded.month_minor <= excluded.month_minor_max
      returning tenant, customer, currency, greatest(day_minor, month_minor) as minor)
    select (select count(*) from asked), array_agg(tenant), array_agg(customer), array_agg(currency)
      into groups, by_tenant, by_customer, by_currency from counted where minor > 0;
    if groups > coalesce(cardinality(by_customer), 0) then
      -- A subquery under "not in" is hashed, whatever joins are off.
      items := array(select i from generate_subscripts(spend_plan, 1) i
        where verdict[spend_plan[i]] = 0 and firsts[spend_plan[i]] = spend_plan[i]
          and (tenants[spend_plan[i]], spend_customer[i], spend_currency[i]) not in (
          select * from unnest(by_tenant, by_customer, by_currency)) order by i);
      walked := array(select distinct spend_plan[i] from unnest(items) i order by 1);
    end if;
  end if;
  if walked <> '{}' then
    verdict := take_in_order(care > 1, verdict, walked, items, ids, firsts, versions, tenants, keys,
      ends, begins, leg_from, leg_to, leg_debit, leg_credit, leg_amount,
      spend_plan, spend_customer, spend_currency, spend_day, spend_month, spend_minor,
      spend_day_max, spend_month_max);
    foreseen := verdict;
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
  if n_created + n_moved + n_noted < n_plans then  -- someone was refused: who and why
    select array_agg(case
             when verdict[n] > 3 then verdict[n]
             when p.version < 0 then 0
             when p.version > 0 then case when n = any(moved) then 0 else 3 end
             when p.id = any(created) then 0
             when old.payment is null then 3  -- the first one with its key is refused: ask again
             when old.hash = p.hash then 1 else 2 end::smallint order by n),
           array_agg(old.payment order by n)
      into verdict, known
      from unnest(ids, versions, tenants, keys, hashes) with ordinality
             p(id, version, tenant, key, hash, n)
      left join payment_key old on old.tenant = p.tenant and old.key = p.key and p.version = 0;
    if exists (select from unnest(walked) n where foreseen[n] = 0 and verdict[n] > 0) then
      raise exception 'another writer came between' using errcode = 'serialization_failure';
    end if;
  end if;

  -- What was counted all at once is looked at again, if anything of it may have to be undone.
  if care = 0 and spend_plan <> '{}' and (0 > any(spend_minor) or 0 < any(verdict)) then
    perform settle_spending(verdict, array(
      select i from generate_subscripts(spend_plan, 1) i
       where verdict[spend_plan[i]] <> 5 and firsts[spend_plan[i]] = spend_plan[i]
         and i <> all (items)), tenants, spend_plan, spend_customer, spend_currency,
      spend_day, spend_month, spend_minor, spend_day_max, spend_month_max);
  end if;

  -- A commit that hung, or whose process' clock is behind, dates its rows from where the auditor seals. The
  -- lock on the fence, which the auditor waits for, is taken before the row is read, and kept to the end.
  -- A clock that is behind by more than ten minutes is not followed: its rows are told as late.
  if n_noted < n_plans then
    insert into journal (payment, version, tenant, state, at_ms, debits, credits, amounts, facts)
      select ids[n], versions[n] + 1, tenants[n], states[n],
             (select greatest(at_ms, max(until_ms)) from audit_fence
               where tenant = any(tenants) and until_ms <= at_ms + 600000), leg_debit[leg_from[n]:leg_to[n]],
             leg_credit[leg_from[n]:leg_to[n]], leg_amount[leg_from[n]:leg_to[n]], facts[n]
        from generate_series(1, n_plans) n where verdict[n] = 0 and versions[n] >= 0;
    insert into attempt (id, payment, tenant, direction, operator)
      select begins[n], ids[n], tenants[n], directions[n], operators[n]
        from generate_series(1, n_plans) n where begins[n] is not null and verdict[n] = 0;
  end if;
  if out_plan <> '{}' then
    insert into outbox (id, payment, tenant, kind, payload, not_before, lease_until)
      select out_id[i], ids[out_plan[i]], tenants[out_plan[i]], out_kind[i], out_payload[i],
             out_not_before[i], out_lease[i]
        from generate_subscripts(out_plan, 1) i where verdict[out_plan[i]] = 0;
  end if;
  if done_plan <> '{}' then
    delete from outbox where tenant = any(tenants) and id = any(array(
      select done_id[i] from generate_subscripts(done_plan, 1) i where verdict[done_plan[i]] = 0));
  end if;
  -- What the outside told us is kept whatever became of the plan that it led to.
  if ev_plan <> '{}' then
    insert into evidence (attempt, hash, payment, tenant, at_ms, source, body)
      select ev_attempt[i], ev_hash[i], ids[ev_plan[i]], tenants[ev_plan[i]], at_ms, ev_source[i], ev_body[i]
        from generate_subscripts(ev_plan, 1) i order by ev_attempt[i], ev_hash[i]
    on conflict do nothing;
  end if;

  if leg_plan <> '{}' then  -- what the applied plans do to each account
    select array_agg(account), array_agg(delta) into accounts, deltas from (
      select account, sum(minor)::bigint from (
        select leg_debit[i], -leg_amount[i] from generate_subscripts(leg_plan, 1) i
         where verdict[leg_plan[i]] = 0
        union all
        select leg_credit[i], leg_amount[i] from generate_subscripts(leg_plan, 1) i
         where verdict[leg_plan[i]] = 0) x(account, minor)
       group by account) d(account, delta);
  end if;
  if accounts is not null then
    perform from balance where id = any(accounts) order by id for update;
    get diagnostics found_ = row_count;
    if found_ < cardinality(accounts) then
      raise exception 'unknown account' using errcode = 'P0002';
    end if;
    update balance b set amount = b.amount + deltas[i]
      from generate_subscripts(accounts, 1) i where b.id = accounts[i] and deltas[i] <> 0;
  end if;
end $$;

do $$
begin
  -- Whoever calls it must not decide where its names are looked for.
  execute format('alter function commit_plans set search_path = %I, pg_temp', current_schema());
end $$;
