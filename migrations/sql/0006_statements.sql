-- Operators' statements are compared with our books.
select 1;
