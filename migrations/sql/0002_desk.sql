-- Some decisions need two people: proposals, and who approved them.
select 1;
