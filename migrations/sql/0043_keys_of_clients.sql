-- A payment's key was found by the key alone. Only those of clients: of a payment that its payer dialled
-- nobody asks, and it costs that payment nothing.

create index payment_key_of_client on payment_key (payment) where key like 'client:%';
