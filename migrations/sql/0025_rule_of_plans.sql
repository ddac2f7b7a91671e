-- The rule that keeps tenants apart becomes a constant of each plan: it is worked out once when a
-- statement is planned, not at every run. Why that is safe: `migrations/decisions/0002`.

-- The tenant of the role that asks, as current_tenant says it, for policies alone. It is called
-- immutable though it is not: only so does the planner put the number in its place. Where a policy was
-- applied Postgres plans anew when the role is another. Elsewhere nothing would see to that, so nothing
-- but policies may call it.
-- What it calls stands in pg_catalog, whatever the caller has in its search_path.
create function held_to_tenant() returns int language plpgsql immutable parallel safe as $$
begin
  return case
    when pg_catalog.starts_with(current_user, 'capp_tenant_')
     and pg_catalog.length(current_user) operator(pg_catalog.<=) 21  -- nine digits
     and pg_catalog.translate(pg_catalog.substr(current_user, 13), '0123456789', '') operator(pg_catalog.=) ''
     and (pg_catalog.substr(current_user, 13, 1) operator(pg_catalog.>) '0'
          or current_user operator(pg_catalog.=) 'capp_tenant_0')
    then pg_catalog.substr(current_user, 13)::pg_catalog.int4 end;
end $$;

-- Whose plan it is, by the same way. The policies compare it with who runs the plan, once a run: a plan
-- that outlived its role shows nothing. Servers before 15.9, 16.5 and 17.1 keep some (CVE-2024-10976).
create function role_of_plan() returns name language plpgsql immutable parallel safe as $$
begin
  return current_user;
end $$;

-- As before, with the other rule.
create or replace function keep_tenants_apart(
  relation regclass, rights text default 'select, insert, update, delete',
  tenant_of text default 'tenant')
returns void language plpgsql as $$
declare part regclass;
begin
  perform shield(relation, format('%s = held_to_tenant() and current_user = role_of_plan()', tenant_of), rights);
  for part in select relid from pg_partition_tree(relation) where relid <> relation loop
    perform shield_partition(relation, part);
  end loop;
end $$;

do $$
declare held regclass; rule text;
begin
  for held, rule in
    select polrelid, pg_get_expr(polqual, polrelid)
      from pg_policy p join pg_class c on c.oid = polrelid
     where polname = 'tenant' and relnamespace = current_schema()::regnamespace
  loop
    execute format('alter policy tenant on %s using (%s)', held,
      replace(rule, '( SELECT current_tenant() AS current_tenant)',
        'held_to_tenant() and current_user = role_of_plan()'));
  end loop;
end $$;
