-- What the operator held before the first line of a file and after its last one, without lines that a file
-- of another day lists; null where the file tells no balance, and of files from before this.
alter table statement_file add column opening_minor bigint, add column closing_minor bigint;
