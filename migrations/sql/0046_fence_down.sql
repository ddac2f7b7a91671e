-- 0033_late_money.sql, which is run next, makes the commit as it was.
drop table audit_fence;
