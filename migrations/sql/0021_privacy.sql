-- Where a number must be found again its column holds a blind index from now on, or the number
-- itself in rows of before; the number that is read back is sealed in a column beside it.

create table data_key (
  tenant     int not null,
  purpose    text not null,                  -- `data` seals values, `index` makes blind indexes
  version    int not null,
  wrapped    bytea not null,                 -- by a key that is not in this database
  wrapped_by int not null,                   -- that key's version
  made_ms    bigint not null,
  since_ms   bigint not null,                -- written with from then on: all processes have it by then
  retired_ms bigint,                         -- nothing that can be sealed again is under it any more
  primary key (tenant, purpose, version),
  constraint data_key_purpose_is_known check (purpose in ('data', 'index'))
);

alter table customer add column msisdn_sealed text, add column erased_ms bigint;
alter table recipient add column msisdn_sealed text;
alter table money_request add column payer_sealed text;
alter table clearance add column people_sealed text; -- payer and payee

-- What is sealed anew is updated, what is kept long enough or is to be forgotten is deleted.
select keep_tenants_apart('data_key', 'select, insert, update');
select keep_tenants_apart('evidence', 'select, insert, update');
select keep_tenants_apart('ported_number');
select keep_tenants_apart('money_request');
select keep_tenants_apart('sms_message');
select keep_tenants_apart('sms_report', 'select, insert, delete');
