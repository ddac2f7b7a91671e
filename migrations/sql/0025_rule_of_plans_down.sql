create or replace function keep_tenants_apart(
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

do $$
declare held regclass; rule text;
begin
  for held, rule in
    select polrelid, pg_get_expr(polqual, polrelid)
      from pg_policy p join pg_class c on c.oid = polrelid
     where polname = 'tenant' and relnamespace = current_schema()::regnamespace
  loop
    execute format('alter policy tenant on %s using (%s)', held,
      replace(replace(rule,
      'held_to_tenant()', '(select current_tenant())'), ' AND (CURRENT_USER = role_of_plan())', ''));
  end loop;
end $$;

drop function held_to_tenant();
drop function role_of_plan();
