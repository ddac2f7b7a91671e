drop index payment_key_of_client;
