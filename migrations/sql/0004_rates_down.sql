-- The accepted rates stay; where they came from is forgotten.
alter table fx_rate drop column decided_ms;
drop table fx_decision;
drop table fx_observation;
drop table fx_source;
