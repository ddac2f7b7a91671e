-- A list that is loaded again unchanged makes no version; when that was last is what its age counts from.
create table screening_confirmation (         -- screening_list is only ever added to
  tenant       int not null,
  source       text not null,
  confirmed_ms bigint not null,               -- when the version in force was last loaded, or loaded again
  primary key (tenant, source)
);
select keep_tenants_apart('screening_confirmation', 'select, insert, update');
