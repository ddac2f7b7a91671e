drop index statement_line_receipt;
