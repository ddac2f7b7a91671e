drop index sms_report_at;
drop function payments_of_client;
drop function payments_received;
drop function payments_sent;
drop function payments_by_attempt;
drop function payments_by_id;
