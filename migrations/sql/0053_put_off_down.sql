-- What was put off is walked over at every look again.
drop index outbox_put_off;
alter table outbox drop column put_off_until;
