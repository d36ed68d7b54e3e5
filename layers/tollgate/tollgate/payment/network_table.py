"""The networks and assets as plain rows: the only place to add one; `make networks` renews what is made of them.

Assets and their EIP-712 domains: PyPI ``x402`` 2.25.0, ``mechanisms/evm/default_assets.py``. What x402 v1 calls
a network: ``mechanisms/evm/v1/constants.py``, ``V1_NETWORKS`` (those that its v1 client pays on; a v1 name there
without a default asset has no row here). Gas coins and block times: npm ``viem`` 2.48.11, ``chains/definitions``;
"own estimate" where it says nothing or a faster block is to be expected: too small a time only widens a search.
``confirmations`` are at least 10 s of blocks (64 or 100 where blocks are not final at once); ``final_blocks`` are
30 minutes.

Nothing is computed here: a cold start reads it all.
"""

# symbol, address, domain name, domain version, decimals, how it is transferred
AssetRow = tuple[str, str, str, str, int, str]
# chain id, name, v1 name, kind, gas coin, block seconds, confirmations, final blocks, assets, source of the assets
Row = tuple[int, str, str | None, str, str, float, int, int, tuple[AssetRow, ...], str]

MAIN, TEST, LOCAL = "main", "test", "local"
EIP3009, PERMIT2 = "eip3009", "permit2"
SDK = "x402 2.25.0"

# Rollups that charge for a transaction's data on their base chain in gas of their own: a limit without room for it
# runs out when the base chain is dear. What is not used is not paid. Nitro chains: Arbitrum's documentation, "Gas
# and fees"; for the others an own estimate.
DATA_GAS = {42161: 1_000_000, 421614: 1_000_000, 190415: 1_000_000, 181228: 1_000_000, 36900: 1_000_000}

ROWS: tuple[Row, ...] = (
    (
        8453, "base", "base", MAIN, "ETH", 2.0, 5, 900,
        (("USDC", "0x833589fCD6eDb6E08f4c7C32D4f71b54bdA02913", "USD Coin", "2", 6, EIP3009),), SDK,
    ),
    (
        84532, "base-sepolia", "base-sepolia", TEST, "ETH", 2.0, 5, 900,
        (("USDC", "0x036CbD53842c5426634e7929541eC2318f3dCF7e", "USDC", "2", 6, EIP3009),), SDK,
    ),
    (
        1, "ethereum", None, MAIN, "ETH", 12.0, 64, 150,
        (("USDC", "0xA0b86991c6218b36c1d19D4a2e9Eb0cE3606eB48", "USD Coin", "2", 6, EIP3009),), SDK,
    ),
    (
        43114, "avalanche", "avalanche", MAIN, "AVAX", 1.0, 10, 1800,  # own estimate: 1.7 s, and sinking
        (("USDC", "0xB97EF9Ef8734C71904D8002F8b6Bc66Dd9c48a6E", "USD Coin", "2", 6, EIP3009),), SDK,
    ),
    (
        4326, "megaeth", "megaeth", MAIN, "ETH", 1.0, 10, 1800,
        (("MegaUSD", "0xFAfDdbb3FC7688494971a79cc65DCa3EF82079E7", "MegaUSD", "1", 18, PERMIT2),), SDK,
    ),
    (
        143, "monad", "monad", MAIN, "MON", 0.4, 25, 4500,
        (("USDC", "0x754704Bc059F8C67012fEd69BC8A327a5aafb603", "USDC", "2", 6, EIP3009),), SDK,
    ),
    (
        10143, "monad-testnet", "monad-testnet", TEST, "MON", 0.4, 25, 4500,
        (("USDC", "0x534b2f3A21130d7a60830c2Df862319e593943A3", "USDC", "2", 6, EIP3009),), SDK,
    ),
    (
        988, "stable", "stable", MAIN, "USDT0", 0.7, 15, 2600,
        (("USDT0", "0x779Ded0c9e1022225f8E0630b35a9b54bE713736", "USDT0", "1", 6, EIP3009),), SDK,
    ),
    (
        2201, "stable-testnet", "stable-testnet", TEST, "USDT0", 0.7, 15, 2600,
        (("USDT0", "0x78Cf24370174180738C5B8E352B6D14c83a6c9A9", "USDT0", "1", 6, EIP3009),), SDK,
    ),
    (
        137, "polygon", "polygon", MAIN, "POL", 1.5, 64, 1200,  # own estimate: 2 s, and sinking
        (("USDC", "0x3c499c542cEF5E3811e1192ce70d8cC03d5c3359", "USD Coin", "2", 6, EIP3009),), SDK,
    ),
    (
        42161, "arbitrum", None, MAIN, "ETH", 0.25, 40, 7200,
        (("USDC", "0xaf88d065e77c8cC2239327C5EDb3A432268e5831", "USD Coin", "2", 6, EIP3009),), SDK,
    ),
    (
        421614, "arbitrum-sepolia", None, TEST, "ETH", 0.25, 40, 7200,
        (("USDC", "0x75faf114eafb1BDbe2F0316DF893fd58CE46AA4d", "USD Coin", "2", 6, EIP3009),), SDK,
    ),
    (
        31612, "mezo", None, MAIN, "BTC", 3.0, 10, 600,  # own estimate
        (("mUSD", "0xdD468A1DDc392dcdbEf6db6e34E89AA338F9F186", "Mezo USD", "1", 18, PERMIT2),), SDK,
    ),
    (
        31611, "mezo-testnet", None, TEST, "BTC", 3.0, 10, 600,  # own estimate
        (("mUSD", "0x118917a40FAF1CD7a13dB0Ef56C86De7973Ac503", "Mezo USD", "1", 18, PERMIT2),), SDK,
    ),
    (
        723487, "radius", None, MAIN, "RUSD", 0.2, 100, 9000,  # own estimate
        (("SBC", "0x33ad9e4BD16B69B5BFdED37D8B5D9fF9aba014Fb", "Stable Coin", "1", 6, PERMIT2),), SDK,
    ),
    (
        72344, "radius-testnet", None, TEST, "RUSD", 0.2, 100, 9000,  # own estimate
        (("SBC", "0x33ad9e4BD16B69B5BFdED37D8B5D9fF9aba014Fb", "Stable Coin", "1", 6, PERMIT2),), SDK,
    ),
    (
        36900, "adi", None, MAIN, "ADI", 0.5, 20, 3600,  # own estimate
        (("USDC.e", "0x9cb8142aEBBcdc60AF7c97Af897A67A8f3CA71C2", "USDC.e", "2", 6, EIP3009),), SDK,
    ),
    (
        190415, "hpp", None, MAIN, "ETH", 0.25, 40, 7200,  # own estimate: an Arbitrum chain
        (("USDC.e", "0x401eCb1D350407f13ba348573E5630B83638E30D", "Bridged USDC", "2", 6, EIP3009),), SDK,
    ),
    (
        181228, "hpp-sepolia", None, TEST, "ETH", 0.25, 40, 7200,  # own estimate: an Arbitrum chain
        (("USDC.e", "0x401eCb1D350407f13ba348573E5630B83638E30D", "Bridged USDC", "2", 6, EIP3009),), SDK,
    ),
    (
        50, "xdc", None, MAIN, "XDC", 2.0, 64, 900,  # own estimate
        (("USDC", "0xfA2958CB79b0491CC627c1557F441eF849Ca8eb1", "USDC", "2", 6, EIP3009),), SDK,
    ),
    (
        51, "xdc-apothem", None, TEST, "TXDC", 2.0, 64, 900,  # own estimate
        (("USDC", "0xb5AB69F7bBada22B28e79C8FFAECe55eF1c771D4", "USDC", "2", 6, EIP3009),), SDK,
    ),
    (
        38833, "igra", None, MAIN, "iKAS", 0.5, 100, 3600,  # own estimate
        (("USDC", "0xA5b8BF902b2844dA17d4506cc827F7F1681735E7", "USDC", "1", 6, PERMIT2),), SDK,
    ),
    (
        14, "flare", None, MAIN, "FLR", 1.0, 15, 1800,  # own estimate
        (("USDT0", "0xe7cd86e13AC4309349F30B3435a9d337750fC82D", "USD\u20ae0", "1", 6, EIP3009),), SDK,
    ),
    (
        42220, "celo", "celo", MAIN, "CELO", 1.0, 10, 1800,  # own estimate
        (
            ("USDC", "0xcebA9300f2b948710d2653dD7B07f33A8B32118C", "USDC", "2", 6, EIP3009),
            ("USDT", "0x48065fbBE25f71C9282ddf5e1cD6D6A887483D5e", "Tether USD", "1", 6, EIP3009),
            ("USAT", "0xD2ab3C9A02DBBAB236BfEC45D1d755DF4267F771", "Tether America USD", "1", 6, EIP3009),
        ),
        SDK,
    ),
    (
        11142220, "celo-sepolia", None, TEST, "S-CELO", 1.0, 10, 1800,  # own estimate
        (("USDC", "0x01C5C0122039549AD1493B8220cABEdD739BC44E", "USDC", "2", 6, EIP3009),), SDK,
    ),
    (
        1329, "sei", "sei", MAIN, "SEI", 0.4, 25, 4500,  # own estimate
        (("USDC", "0xe15fC38F6D8c56aF07bbCBe3BAf5708A2Bf42392", "USDC", "2", 6, EIP3009),), SDK,
    ),
    (
        1328, "sei-testnet", "sei-testnet", TEST, "SEI", 0.4, 25, 4500,  # own estimate
        (("USDC", "0x4fCF1784B31630811181f670Aea7A7bEF803eaED", "USDC", "2", 6, EIP3009),), SDK,
    ),
    (
        5042, "arc", None, MAIN, "USDC", 0.4, 25, 4500,  # own estimate
        (("USDC", "0x3600000000000000000000000000000000000000", "USDC", "2", 6, EIP3009),), SDK,
    ),
    (
        5042002, "arc-testnet", None, TEST, "USDC", 0.4, 25, 4500,  # own estimate
        (("USDC", "0x3600000000000000000000000000000000000000", "USDC", "2", 6, EIP3009),), SDK,
    ),
    (
        31337, "local", None, LOCAL, "ETH", 1.0, 1, 20,
        (("USDC", "0x5FbDB2315678afecb367f032d93F642f64180aa3", "USDC", "2", 6, EIP3009),), "anvil",
    ),
)  # fmt: skip
