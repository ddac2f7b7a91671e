-- Who of the staff may do what, their open sessions, and everything they read or did.

create table staff_member (
  id      uuid primary key,
  tenant  int not null,
  name    text not null,                     -- the person that the desk compares
  roles   text[] not null,                   -- none: may do nothing; nobody is ever deleted
  made_ms bigint not null,
  unique (tenant, name),
  constraint staff_name_is_plain check (name = lower(btrim(name)) and name <> ''),
  constraint staff_roles_are_known check (roles <@ array['support', 'finance', 'compliance', 'admin'])
);

create table staff_session (                 -- what a token is good for; it holds no key
  id         uuid primary key,
  tenant     int not null,
  member     uuid not null,
  made_ms    bigint not null,
  expires_ms bigint not null,
  ended_ms   bigint,
  ended_by   text,
  constraint ended_by_somebody check ((ended_ms is null) = (ended_by is null))
);
create index staff_session_member on staff_session (tenant, member);

create table staff_action (                  -- append-only, see the triggers below
  id          uuid primary key,              -- version 7: its time is when it began
  tenant      int not null,
  who         text not null,
  session     uuid,                          -- null: at the terminal
  what        text not null,
  subject     text not null,                 -- a payment's code, an operator, a proposal, a member
  correlation uuid,                          -- as the answer named it
  outcome     text,                          -- null: begun, and nobody knows how it ended
  ended_ms    bigint,
  constraint ended_with_an_outcome check ((outcome is null) = (ended_ms is null))
);
create index staff_action_subject on staff_action (tenant, subject, id);

create function keep_staff_action() returns trigger language plpgsql as $$
begin
  -- An action's outcome is written once, behind all that was written before.
  if tg_op = 'UPDATE' then
    if old.outcome is null and new.outcome is not null
       and (new.id, new.tenant, new.who, new.session, new.what, new.subject, new.correlation)
         is not distinct from
           (old.id, old.tenant, old.who, old.session, old.what, old.subject, old.correlation) then
      return new;
    end if;
  end if;
  raise exception 'staff_action is append-only' using errcode = 'integrity_constraint_violation';
end $$;
create trigger staff_action_is_kept before update or delete on staff_action
  for each row execute function keep_staff_action();
create trigger staff_action_is_not_emptied before truncate on staff_action
  for each statement execute function keep_staff_action();

create table staff_request (                 -- what was answered under which Idempotency-Key
  tenant    int not null,
  member    uuid not null,
  key       text collate "C" not null,
  hash      bytea not null,                  -- of the method, the address and the body
  operation uuid not null,                   -- the id of what the request makes, however often tried
  begun_ms  bigint not null,
  status    smallint,                        -- null: under way, or its process died
  answer    bytea,
  primary key (tenant, member, key),
  constraint answered_whole check ((status is null) = (answer is null))
);
create index staff_request_begun on staff_request (tenant, begun_ms);

create table operator_probe (                -- the last harmless call that staff made to an operator
  tenant     int not null,
  operator   text not null,
  begun_ms   bigint not null,
  call       text not null,
  outcome    text,                           -- null: under way, or its process died
  latency_ms int,
  primary key (tenant, operator)
);
