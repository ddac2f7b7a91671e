"""`capp_settlement::settlement`: corridors, batches, disputes. One module a noun."""

# `claims` is called from outside alone: imported, it is on offer.
from simulator.devnet.executors.model.settlement import claims
from simulator.devnet.executors.model.settlement.batches import Batch
from simulator.devnet.executors.model.settlement.corridors import Corridor
from simulator.devnet.executors.model.settlement.vocabulary import OBJECT, SETTLEMENT, Reason

__all__ = ["OBJECT", "SETTLEMENT", "Batch", "Corridor", "Reason", "claims"]
