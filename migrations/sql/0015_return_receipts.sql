-- The operator's own number of a pay-in's way back, by which a statement lists it.

alter table pay_in add column return_receipt text;  -- null: not told, or it did not go back
create index pay_in_return on pay_in (tenant, operator, return_receipt)
  where return_receipt is not null;
