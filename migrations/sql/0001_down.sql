drop function commit_plans, deltas, count_spending, take_in_order, settle_spending, ensure_month;
drop table payment, payment_key, journal, balance, spending, attempt, outbox, evidence, case_file,
  sms_message, sms_report, customer, fx_rate, corridor;
