"""A local chain that speaks the Aptos node's HTTP interface: one process, one node, no consensus.

Written from the node's documentation; it imports nothing of the server.
"""
