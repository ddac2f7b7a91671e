-- Some decisions need two people: proposals, and who approved them.

create table proposal (
  id           uuid primary key,              -- also the id and the key of what it books
  tenant       int not null,
  kind         text not null,
  body         text not null,                 -- JSON
  note         text not null,                 -- why
  state        text not null,
  made_by      text not null,
  made_ms      bigint not null,
  expires_ms   bigint not null,
  decided_by   text,
  decided_ms   bigint,
  reference    text,                          -- how the outside names the movement, once seen
  reference_by text,
  outcome      text not null default '',
  constraint proposal_state_is_known check (
    state in ('proposed', 'approved', 'waiting', 'done', 'failed', 'rejected', 'expired')),
  constraint two_people check (decided_by <> made_by),
  constraint names_are_plain check (          -- so that nobody is two people by a capital letter
    made_by = lower(btrim(made_by)) and made_by <> ''
    and decided_by = lower(btrim(decided_by)) and decided_by <> ''),
  constraint decided_once_by_somebody check (
    (state in ('proposed', 'expired')) = (decided_by is null)
    and (decided_by is null) = (decided_ms is null)),
  constraint seen_by_somebody check (
    (reference is null) = (reference_by is null) and (reference is null or decided_by is not null))
);
create index proposal_open on proposal (tenant, state)
  where state in ('proposed', 'approved', 'waiting');
create unique index proposal_reference on proposal (tenant, reference);

alter table case_file
  add closed_by text,
  add note text,                              -- why it was closed
  add proposal uuid,                          -- what two people agreed on, where they had to
  add owner text,                             -- who looks after it
  add due_ms bigint,
  add constraint closed_by_somebody check (closed_ms is null or closed_by is not null);
create index case_open on case_file (tenant, opened_ms) where closed_ms is null;

create table liquidity_mark (                 -- how much there should be of what
  account      bigint primary key,            -- POOL_AVAIL of a currency or FLOAT at an operator
  tenant       int not null,
  low_minor    bigint not null,               -- below this somebody is called
  target_minor bigint not null,               -- to this rebalancing fills up
  below_ms     bigint,                        -- since when it is below; null while it is not
  constraint marks_are_ordered check (low_minor >= 0 and target_minor >= low_minor)
);
