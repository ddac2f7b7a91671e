-- Which overlap a secret was made with: under its key another one is another request, and the same is
-- answered as it was. Of secrets from before nobody knows, nor of the first one of a subscription.
alter table hook_secret add column overlap_ms bigint;
