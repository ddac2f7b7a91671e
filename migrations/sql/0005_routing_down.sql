-- Breakers and success rates are shared by all processes.
drop table decision, breaker, operator_terms, operator_volume, operator_minute;
