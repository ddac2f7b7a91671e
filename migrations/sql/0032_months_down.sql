-- As 0020 made it.
create or replace function make_month(suffix text, first_id uuid, next_id uuid) returns void
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
