drop index journal_client;
create index journal_client on journal (split_part(facts, '"', -2), payment)
  where version = 1 and right(facts, 3) <> '""]';
