-- A statement proves that money moved, and one person takes it in: who that was, and of which file, stands
-- beside what it proved. Files of before tell neither; lines of before, not that they proved anything.
alter table statement_file add column taken_by text, add column sha256 text;
alter table statement_line add column proved_ms bigint;
create index statement_line_proved on statement_line (tenant, proved_ms) where proved_ms is not null;
