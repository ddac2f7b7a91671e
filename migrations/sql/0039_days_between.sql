-- What the operator held before the first line of a file and after its last one, without lines that a file
-- of another day lists; null where the file tells no balance, and of files from before this.
alter table statement_file add column opening_minor bigint, add column closing_minor bigint;

-- When a payment was held or refused, which may be days after it was asked for; null of those from before.
alter table clearance add column decided_ms bigint;
create index clearance_decided on clearance (tenant, decided_ms) where decision is not null;
