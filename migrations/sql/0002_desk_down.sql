-- Some decisions need two people: proposals, and who approved them.
drop table proposal, liquidity_mark;
drop index case_open;
alter table case_file
  drop constraint closed_by_somebody,
  drop closed_by, drop note, drop proposal, drop owner, drop due_ms;
