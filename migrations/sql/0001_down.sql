drop function commit_plans, refuse_short, deltas, ensure_month;
drop table payment, payment_key, journal, balance, attempt, outbox, evidence, case_file,
  sms_message, sms_report, customer, fx_rate, corridor;
