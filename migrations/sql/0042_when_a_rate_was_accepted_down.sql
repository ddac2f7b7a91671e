alter table fx_rate drop column accepted_ms;
