"""Sanctions lists: the official files, read strictly, and the versions we keep of them."""
