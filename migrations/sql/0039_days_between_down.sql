alter table statement_file drop column opening_minor, drop column closing_minor;
alter table clearance drop column decided_ms;
