-- What operators owe each other through us, and how it is squared on a rail.
drop table settlement_dispute, settlement_account, settlement_transaction, settlement_errand,
  settlement_approval, settlement_batch, settlement_corridor, settlement_look, settlement_position,
  settlement_obligation;
