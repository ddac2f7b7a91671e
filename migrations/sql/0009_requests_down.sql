-- People ask each other for money, and a payee finds what was paid to their number.
drop index journal_payee;
drop table money_request;
