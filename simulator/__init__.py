"""The world outside the server: operators, gateways and phones, reached over HTTP only.

Nothing in this package may import the server's packages; it knows them by their URLs alone.
"""
