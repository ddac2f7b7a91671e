select keep_tenants_apart('attempt', 'select, insert');
select keep_tenants_apart('balance', 'select, insert, update', 'id >> 42');
select keep_tenants_apart('evidence', 'select, insert, update');
select keep_tenants_apart('journal', 'select, insert, update (facts)');
select keep_tenants_apart('payment', 'select, insert, update');
select keep_tenants_apart('spending', 'select, insert, update');

-- 0001_commit.sql, which is run next, makes them as they were.
drop function commit_plans, take_in_order, settle_spending;
