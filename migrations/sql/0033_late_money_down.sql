-- 0001_commit.sql and 0029_only_door.sql, which are run next, make them as they were.
drop function commit_plans, take_in_order, settle_spending;
