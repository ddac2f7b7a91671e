drop index statement_line_proved;
alter table statement_line drop column proved_ms;
alter table statement_file drop column taken_by, drop column sha256;
