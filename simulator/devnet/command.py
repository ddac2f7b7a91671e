"""`python -m simulator devnet ...`: the chain as one program, until it is told to end."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import uvloop

from simulator.devnet.addresses import parse_address
from simulator.devnet.devnet import Devnet
from simulator.devnet.executor import Executor
from simulator.devnet.executors import ExecutorMissing, open_executor
from simulator.devnet.journal import OtherChain
from simulator.devnet.node import NodeSettings
from simulator.serving import serve

OCTAS = 10**8


def run_devnet(argv: list[str]) -> int:
    """The exit code; 1: a port is taken, or the contracts cannot be run. 2: an option is wrong."""
    parser = _parser()
    arguments = parser.parse_args(argv)
    try:
        devnet = _open(arguments)
    except ValueError as error:
        parser.error(str(error))
    except (ExecutorMissing, OtherChain) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    app = devnet.app()
    try:
        uvloop.run(serve({"devnet": (app, arguments.port)}))
    except OSError as error:
        sys.stderr.write(f"port {arguments.port}: {error.strerror}\n")
        return 1
    return 0


def _open(arguments: argparse.Namespace) -> Devnet:
    executor: Executor = open_executor(arguments.executor)
    if not 0 < arguments.chain_id < 256:
        raise ValueError(f"a chain id is from 1 to 255, not {arguments.chain_id}")
    settings = NodeSettings(
        chain_id=arguments.chain_id,
        block_milliseconds=arguments.block_ms,
        stateless_accounts=arguments.stateless_accounts,
    )
    funded = dict.fromkeys(_addresses(arguments.accounts), arguments.apt * OCTAS)
    return Devnet(executor, settings=settings, folder=arguments.data, funded=funded)


def _addresses(words: Sequence[str]) -> list[bytes]:
    return [parse_address(word) for word in words]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m simulator devnet",
        description="A local chain on 127.0.0.1: the node under /v1, a faucet at /mint.",
    )
    parser.add_argument("--port", type=int, default=8080, help="0: any free one")
    parser.add_argument("--block-ms", type=int, default=100, help="from block to block")
    parser.add_argument("--chain-id", type=int, default=4)
    parser.add_argument(
        "--executor",
        choices=("move", "model", "best"),
        default="best",
        help="who runs the contracts: the Move VM, the model of them, or the VM if it is there",
    )
    parser.add_argument(
        "--accounts", nargs="*", default=[], metavar="ADDRESS", help="have APT from the beginning"
    )
    parser.add_argument("--apt", type=int, default=100, help="how much each of them has")
    parser.add_argument("--data", type=Path, help="a folder that keeps the chain")
    parser.add_argument(
        "--stateless-accounts",
        action="store_true",
        help="answer for addresses that never did anything, as newer networks do",
    )
    return parser
