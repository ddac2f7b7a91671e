-- The database keeps tenants apart. Who serves tenant 7 is the role capp_tenant_7; it has the rights
-- of capp_tenant and sees rows of tenant 7. Nothing here needs those roles to exist: open_tenant makes
-- them, at the end of every `capp migrate`, and grants what the policies' comments say.
--
-- A later step calls keep_tenants_apart for each table it makes:
--   select keep_tenants_apart('api_key', 'select, insert, update');

-- The tenant of the role that asks. null, to which no row is equal, for everybody else.
create function current_tenant() returns int language sql stable parallel safe
return substring(current_user from '^capp_tenant_(0|[1-9][0-9]{0,8})$')::int;

-- Rows of a table are seen and written by their own tenant alone; `rights` are what tenants' roles may
-- do with those, `tenant_of` is an expression over the row. Safe to repeat, with other rights as well.
-- It binds everybody but superusers and the table's owner, who migrates.
create function keep_tenants_apart(
  relation regclass, rights text default 'select, insert, update, delete',
  tenant_of text default 'tenant')
returns void language plpgsql as $$
declare part regclass;
begin
  perform shield(relation, format('%s = (select current_tenant())', tenant_of), rights);
  for part in select relid from pg_partition_tree(relation) where relid <> relation loop
    perform shield_partition(relation, part);
  end loop;
end $$;

create function shield(relation regclass, rule text, rights text)
returns void language plpgsql as $$
begin
  execute format('alter table %s enable row level security', relation);
  if exists (select from pg_policy where polrelid = relation and polname = 'tenant') then
    execute format('drop policy tenant on %s', relation);
  end if;
  -- Without a rule of its own for new rows a policy holds them to the same.
  execute format('create policy tenant on %s using (%s)', relation, rule);
  execute format('comment on policy tenant on %s is %L', relation, rights);
  if to_regrole('capp_tenant') is not null then
    perform grant_to_tenants(relation, rights);
  end if;
end $$;

-- A partition that is named itself obeys its own policy, not its parent's. The auditor reads so;
-- nobody writes so.
create function shield_partition(parent regclass, part regclass)
returns void language plpgsql as $$
begin
  perform shield(part, pg_get_expr(polqual, polrelid), 'select')
     from pg_policy where polrelid = parent and polname = 'tenant';
end $$;

create function grant_to_tenants(relation regclass, rights text)
returns void language plpgsql as $$
begin
  execute format('revoke all on %s from capp_tenant', relation);
  execute format('grant %s on %s to capp_tenant', rights, relation);
end $$;

-- Make the role that serves a tenant, if this user may, and let it be taken on. Safe to repeat.
-- Raises insufficient_privilege where somebody else must make it.
create function open_tenant(tenant int) returns void language plpgsql as $$
declare
  serving text := 'capp_tenant_' || tenant;
  may_take_on text := case when current_setting('server_version_num')::int < 160000
                           then 'member' else 'set' end;
begin
  begin
    if to_regrole('capp_tenant') is null then
      create role capp_tenant nologin;
    end if;
    if to_regrole(serving) is null then
      execute format('create role %I nologin in role capp_tenant', serving);
    end if;
  exception when duplicate_object or unique_violation then
    null;  -- roles belong to the whole server: another database's migration was faster
  end;
  if not pg_has_role(current_user, serving, may_take_on) then
    execute format('grant %I to %I', serving, current_user);
  end if;
  execute format('grant usage on schema %I to capp_tenant', current_schema());
  perform grant_to_tenants('alembic_version', 'select');  -- which schema this is, and no tenant's
  grant execute on function make_month_ahead to capp_tenant;
  -- journal_payee and journal_client are indexes on split_part. Where rows are held to a rule Postgres
  -- reads by them only if the function is known to tell nothing of a row by its errors, as this one:
  -- and only a superuser may say so.
  if (select rolsuper from pg_roles where rolname = current_user) then
    alter function pg_catalog.split_part(text, text, int) leakproof;
  end if;
  perform grant_to_tenants(polrelid, obj_description(p.oid, 'pg_policy'))
     from pg_policy p join pg_class c on c.oid = polrelid
    where polname = 'tenant' and relnamespace = current_schema()::regnamespace;
end $$;

-- Make the partitions of one month, in every table that is partitioned. Called as before, by anyone:
-- the owner makes them itself, for any time; who serves a tenant owns nothing and has them made.
create or replace function ensure_month(suffix text, first_id uuid, next_id uuid) returns void
language plpgsql as $$
begin
  if current_tenant() is null then
    perform make_month(suffix, first_id, next_id);
  else
    perform make_month_ahead(suffix);
  end if;
end $$;

create function make_month(suffix text, first_id uuid, next_id uuid) returns void
language plpgsql as $$
declare parent regclass; name text; part text;
begin
  perform pg_advisory_xact_lock(hashtext('ensure_month'));
  for parent, name in
    select c.oid, c.relname from pg_partitioned_table p join pg_class c on c.oid = p.partrelid
     where c.relnamespace = current_schema()::regnamespace order by c.relname
  loop
    -- With its schema: a temporary table of that name must not be taken for it.
    part := format('%I.%I', current_schema(), name || '_' || suffix);
    if to_regclass(part) is null then
      execute format('create table %s partition of %s for values from (%L) to (%L) %s',
        part, parent, first_id, next_id,
        case when name = 'payment' then 'with (fillfactor = 50)' else '' end);
      perform shield_partition(parent, part::regclass);
    end if;
  end loop;
end $$;

-- With the owner's rights, and therefore nothing but this: whole months, from the last to a year ahead.
create function make_month_ahead(suffix text) returns void
language plpgsql security definer as $$
declare
  month timestamptz; following timestamptz;
begin
  if suffix is null or suffix !~ '^20[0-9]{2}_(0[1-9]|1[0-2])$' then
    raise exception 'no month' using errcode = 'invalid_parameter_value';
  end if;
  month := make_timestamptz(left(suffix, 4)::int, right(suffix, 2)::int, 1, 0, 0, 0, 'UTC');
  if not month between now() - interval '63 days' and now() + interval '366 days' then
    raise exception 'a month too far' using errcode = 'invalid_parameter_value';
  end if;
  following := (month at time zone 'UTC' + interval '1 month') at time zone 'UTC';
  perform make_month(suffix, first_id_of(month), first_id_of(following));
end $$;
revoke execute on function make_month_ahead from public;

-- The smallest UUID version 7 of a moment, as `engine.clock.first_id_at` makes it.
create function first_id_of(moment timestamptz) returns uuid language sql immutable
return (lpad(to_hex((extract(epoch from moment) * 1000)::bigint), 12, '0') || repeat('0', 20))::uuid;

do $$
declare name text;
begin
  -- Whoever calls it must not decide where its names are looked for.
  execute format('alter function make_month_ahead set search_path = %I, pg_temp', current_schema());

  -- What is only ever added to.
  foreach name in array array['attempt', 'audit_late', 'balance_look', 'decision', 'evidence',
    'fx_decision', 'fx_rate', 'journal', 'payment_key', 'ported_number', 'screening_list',
    'settlement_approval', 'sms_report', 'staff_action_block', 'statement_file']
  loop
    perform keep_tenants_apart(name, 'select, insert');
  end loop;
  -- What is never deleted.
  foreach name in array array['audit_block', 'audit_sum', 'balance_question', 'breaker',
    'case_file', 'corridor', 'customer', 'fx_observation', 'fx_source', 'hook_look',
    'hook_subscription', 'liquidity_mark', 'money_request', 'operator_probe', 'operator_terms',
    'operator_volume', 'pay_in', 'payment',
    'proposal', 'settlement_account', 'settlement_batch', 'settlement_corridor',
    'settlement_dispute', 'settlement_errand', 'settlement_look', 'settlement_obligation',
    'settlement_position', 'sms_message', 'spending', 'staff_action', 'staff_member',
    'staff_session', 'statement_line']
  loop
    perform keep_tenants_apart(name, 'select, insert, update');
  end loop;
  -- The number of an account begins with its tenant (`engine/ledger/chart.py`).
  perform keep_tenants_apart('balance', 'select, insert, update', 'id >> 42');
  -- All others that have a tenant.
  perform keep_tenants_apart(c.oid)
     from pg_class c join pg_attribute a on a.attrelid = c.oid and a.attname = 'tenant'
    where c.relnamespace = current_schema()::regnamespace and c.relkind in ('r', 'p')
      and not c.relispartition and not c.relrowsecurity;
end $$;
