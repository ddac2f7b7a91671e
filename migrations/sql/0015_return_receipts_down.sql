-- The operator's own number of a pay-in's way back, by which a statement lists it.
drop index pay_in_return;
alter table pay_in drop column return_receipt;
