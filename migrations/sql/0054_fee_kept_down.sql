alter table corridor drop column fee_is_refunded;
