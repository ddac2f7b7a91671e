-- Operators' statements and balances are compared with our books.
drop table balance_look, balance_question, statement_line, statement_file;
