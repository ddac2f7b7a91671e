-- Money paid in to a shortcode, matched or kept in suspense.
drop table pay_in;
