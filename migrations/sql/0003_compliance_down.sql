-- Limits, sanctions lists and rules need what they know, and what they decided.
select 1;
