drop function evidence_from;
drop function payments_ending;
