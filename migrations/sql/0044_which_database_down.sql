drop function which_database();
drop table database_seen;
