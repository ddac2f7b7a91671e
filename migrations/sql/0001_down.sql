drop function commit_plans, refuse_short, deltas, count_spending, give_spending_back, ensure_month;
drop table payment, payment_key, journal, balance, spending, attempt, outbox, evidence, case_file,
  sms_message, sms_report, customer, fx_rate, corridor;
