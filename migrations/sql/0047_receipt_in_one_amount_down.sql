-- Two processes at once may book a receipt in two amounts again.
drop table receipt_amount;
