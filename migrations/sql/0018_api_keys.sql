-- Businesses use the API: their keys, what they asked and were answered, their payments by time.

create table client (
  id      uuid primary key,
  tenant  int not null,
  name    text not null,
  made_ms bigint not null,
  unique (tenant, name),
  constraint client_name_is_plain check (name = lower(btrim(name)) and name <> '')
);

create table api_key (
  id          uuid primary key,              -- the middle of the key as its holder shows it
  tenant      int not null,
  client      uuid not null,
  scopes      text[] not null,
  mac         bytea not null,                -- a keyed MAC of the secret; the key is not in here
  mac_key     smallint not null,             -- which key
  made_ms     bigint not null,
  expires_ms  bigint,
  ended_ms    bigint,                        -- revoked
  ended_by    text,
  used_ms     bigint,                        -- to the minute
  replaced_by uuid,                          -- the key that it was rotated to
  constraint key_ended_by_somebody check ((ended_ms is null) = (ended_by is null)),
  constraint key_has_a_mac check (length(mac) = 32)
);
create index api_key_client on api_key (tenant, client);

create table client_request (                -- what was answered under which Idempotency-Key
  tenant    int not null,
  client    uuid not null,
  key       text collate "C" not null,
  hash      bytea not null,                  -- of the method, the address and the body
  operation uuid not null,                   -- the id of what the request makes, however often tried
  begun_ms  bigint not null,
  status    smallint,                        -- null: under way, or its process died
  answer    bytea,
  primary key (tenant, client, key),
  constraint client_answered_whole check ((status is null) = (answer is null))
);
create index client_request_begun on client_request (tenant, begun_ms);

create table client_quote (                  -- prices that were promised, each under its request's key
  tenant     int not null,
  client     uuid not null,
  key        text collate "C" not null,
  hash       bytea not null,                 -- as above
  id         uuid not null,
  quote      text not null,
  expires_at bigint not null,                -- epoch seconds
  taken_by   text collate "C",               -- the key of the one payment that it may become
  primary key (tenant, client, key),
  unique (tenant, id)
);
create index client_quote_expires on client_quote (tenant, expires_at);

-- A client's payments by time. Its id stands last in the terms; those of a dialled payment end in "".
create index journal_client on journal (split_part(facts, '"', -2), payment)
  where version = 1 and right(facts, 3) <> '""]';
