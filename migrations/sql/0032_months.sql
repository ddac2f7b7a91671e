-- The months ahead are made beside the payments, not instead of them: `create table ... partition of`
-- locks out everybody who reads or writes the table, one table after the other, while a commit holds them
-- in another order (migrations/decisions/0004).

-- What a partition has, it has by `like`; attaching it finds its indexes and takes them for the parent's.
-- It locks out neither readers nor writers. A default partition would be read through, and locked,
-- at every attaching: there is none. Whoever cannot have the lock in time tries again later.
create or replace function make_month(suffix text, first_id uuid, next_id uuid) returns void
language plpgsql
set lock_timeout = '10s'
as $$
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
      execute format('create table %s (like %s including all) %s', part, parent,
        case when name = 'payment' then 'with (fillfactor = 50)' else '' end);
      perform shield_partition(parent, part::regclass);
      execute format('alter table %s attach partition %s for values from (%L) to (%L)',
        parent, part, first_id, next_id);
    end if;
  end loop;
end $$;
