-- The roles stay: they belong to the server, and another database may live by them.
do $$
declare relation regclass;
begin
  for relation in
    select c.oid from pg_policy p join pg_class c on c.oid = polrelid
     where polname = 'tenant' and relnamespace = current_schema()::regnamespace
  loop
    execute format('drop policy tenant on %s', relation);
    execute format('alter table %s disable row level security', relation);
  end loop;
  if to_regrole('capp_tenant') is not null then
    execute format('revoke all on all tables in schema %I from capp_tenant', current_schema());
    execute format('revoke all on schema %I from capp_tenant', current_schema());
  end if;
  if (select rolsuper from pg_roles where rolname = current_user) then
    alter function pg_catalog.split_part(text, text, int) not leakproof;
  end if;
end $$;

create or replace function ensure_month(suffix text, first_id uuid, next_id uuid) returns void
language plpgsql as $$
declare name text;
begin
  perform pg_advisory_xact_lock(hashtext('ensure_month'));
  foreach name in array array['payment', 'journal', 'attempt', 'evidence', 'sms_message'] loop
    if to_regclass(name || '_' || suffix) is null then
      execute format('create table %I partition of %I for values from (%L) to (%L) %s',
        name || '_' || suffix, name, first_id, next_id,
        case when name = 'payment' then 'with (fillfactor = 50)' else '' end);
    end if;
  end loop;
end $$;

drop function open_tenant, grant_to_tenants, keep_tenants_apart, shield_partition, shield,
  make_month_ahead, make_month, first_id_of, current_tenant;
