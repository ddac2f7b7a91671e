-- Breakers and success rates are shared by all processes.
select 1;
