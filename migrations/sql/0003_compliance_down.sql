-- Limits, sanctions lists and rules need what they know, and what they decided.
drop table clearance;
drop table screening_list;
alter table customer drop column born;
alter table customer drop column name;
