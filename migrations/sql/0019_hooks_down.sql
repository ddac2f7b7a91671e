drop table hook_attempt, hook_delivery, hook_event, hook_look, hook_secret, hook_subscription;
