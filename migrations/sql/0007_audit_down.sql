-- The auditor remembers how far it has added the books up again.
drop table audit_block, audit_late, audit_sum, audit_position;
drop index journal_at;
