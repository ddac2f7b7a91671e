-- Messages out by several gateways and in from phones; who wants none.

alter table sms_message
  add column gateway  text not null default '', -- who took it, or may have
  add column segments smallint,                 -- as planned
  add column counted  smallint;                 -- as the gateway counts, if it says so
create index sms_message_unknown on sms_message (tenant, at_ms) where status = 'unknown';

alter table sms_report add column message uuid; -- our own id, where the gateway gives it back
create index sms_report_message on sms_report (message) where message is not null;

create table sms_opt_out (                      -- numbers that said STOP
  tenant   int not null,
  msisdn   text not null,
  since_ms bigint not null,
  primary key (tenant, msisdn)
);

create table sms_inbound (                      -- what phones sent us and is done with; no texts
  tenant     int not null,
  gateway    text not null,
  message_id text not null,
  at_ms      bigint not null,
  primary key (tenant, gateway, message_id)
);
create index sms_inbound_at on sms_inbound (tenant, at_ms);
