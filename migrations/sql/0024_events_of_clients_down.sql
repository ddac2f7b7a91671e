drop index hook_event_of_client;
