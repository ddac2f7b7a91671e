-- In which amount an operator's receipt is booked, for money that nobody asked for: written before the
-- entry, so that of an operator's word and its statement one alone books it
-- (engine/payments/payins/decisions/0005). What was put into SUSPENSE before is known by its key.
create table receipt_amount (
  tenant   int not null,
  operator text not null,
  receipt  text not null,
  minor    bigint not null,                   -- minor units, in the operator's currency
  constraint receipt_is_of_something check (minor > 0),
  primary key (tenant, operator, receipt)
);
select keep_tenants_apart('receipt_amount', 'select, insert, update');
