"""Where the contracts stand on a chain of our own, and which asset is made there."""

GOVERNANCE, COMPLIANCE, LIQUIDITY, SETTLEMENT, ASSET = (
    "0xca01::governance",
    "0xca02::compliance",
    "0xca03::liquidity",
    "0xca04::settlement",
    "0xca05::test_asset",
)
SYMBOL, DECIMALS = "USDC", 6


def package_of(module: str) -> str:
    """`0xca04` of `0xca04::settlement`."""
    return module.split("::")[0]
