-- Whose wallet a number is: the network of a customer's last dial, and what staff put down.

alter table customer
  add column network text,                   -- mobile country and network code of the last dial
  add column network_since_ms bigint,        -- when dials began to come by it, not the last of them
  add constraint network_has_a_time check ((network is null) = (network_since_ms is null));

create table ported_number (                 -- append-only: of one number the newest row counts
  id          uuid primary key,
  tenant      int not null,
  msisdn      text not null,
  operator    text,                          -- null: staff took their word back
  put_down_by text not null,
  why         text not null,
  at_ms       bigint not null
);
create index ported_number_msisdn on ported_number (tenant, msisdn, id);
