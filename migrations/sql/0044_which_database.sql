-- Which databases these rows have been served from, the first with since_ms 0. Rows travel with a
-- restore, a copy and a standby's promotion; what which_database() says does not
-- (migrations/decisions/0006).
create table database_seen (
  tenant   int not null,
  since_ms bigint not null,
  identity text not null,
  primary key (tenant, since_ms)
);

select keep_tenants_apart('database_seen', 'select, insert');

-- cluster:timeline:database:table, each '?' where this server does not tell. The cluster's number is
-- drawn by initdb, the timeline is one more after a promotion and a restore to a moment, and the last
-- two are numbered anew by `create database` and by whoever makes this table anew.
create function which_database() returns text
language plpgsql stable
as $$
declare
  cluster text := '?'; timeline text := '?';
begin
  begin
    select system_identifier::text into cluster from pg_control_system();
  exception when insufficient_privilege or feature_not_supported then
    null;  -- '?'
  end;
  begin
    timeline := left(pg_walfile_name(pg_current_wal_lsn()), 8);
  exception when insufficient_privilege or feature_not_supported
              or object_not_in_prerequisite_state then
    null;  -- '?', as on a standby
  end;
  return concat_ws(':', cluster, timeline,
    (select oid from pg_database where datname = current_database()),
    'database_seen'::regclass::oid);
end $$;
