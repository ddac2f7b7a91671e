-- Messages out by several gateways and in from phones; who wants none.
drop table sms_inbound, sms_opt_out;
drop index sms_report_message, sms_message_unknown;
alter table sms_report drop column message;
alter table sms_message drop column gateway, drop column segments, drop column counted;
