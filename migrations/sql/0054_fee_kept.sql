-- Whether a payer whose payment is not paid out gets the fee back, by corridor; told with the price.
alter table corridor add column fee_is_refunded boolean not null default true;
