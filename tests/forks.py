"""Processes that have loaded insitu already, to be killed: each start of Python costs most of a second."""

from __future__ import annotations

import multiprocessing

FORKS = multiprocessing.get_context("forkserver")
FORKS.set_forkserver_preload(
    [
        "numpy",
        "pytest",  # which the modules of tests import
        "stringzilla",
        "xxhash",
        "insitu.api",
        "insitu.cli.commands.delete",
        "insitu.cli.commands.insert",
        "insitu.cli.commands.mcp",
        "insitu.cli.commands.replace",
        "insitu.cli.commands.write",
        "insitu.cli.main",
        "insitu.mcp.server",
        "insitu.mcp.stdio",
        "insitu.workspace.workspace",
    ]
)
