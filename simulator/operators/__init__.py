"""One sandbox per operator, and the parts they share: wallets, prompts, callbacks, admin routes.

Written from the operators' references, never from our own adapters: a misreading on either side
then shows up as a failing test.
"""
