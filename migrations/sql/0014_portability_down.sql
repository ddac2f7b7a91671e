-- Whose wallet a number is: the network of a customer's last dial, and what staff put down.
drop table ported_number;
alter table customer
  drop constraint network_has_a_time,
  drop column network,
  drop column network_since_ms;
