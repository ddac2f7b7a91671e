-- Rates come from several sources; every price must show what it was made from.
select 1;
