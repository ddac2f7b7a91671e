-- A list is as old as its version again.
drop table screening_confirmation;
