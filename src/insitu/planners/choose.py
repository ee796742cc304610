"""Choosing: every planner makes its offer, the cheapest that fits is taken, and the others say why not."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from insitu.core.columns import Splices
from insitu.core.facts import Facts
from insitu.core.plan import Choice, Layout, Plan, Program, Rejected, Target
from insitu.core.policy import Policy
from insitu.errors import LimitError, NoPlanError, RequestError
from insitu.planners import blocks, overwrite, rewrite, shift

PLANNERS: Final = {
    overwrite.NAME: overwrite.plan,
    blocks.NAME: blocks.plan,
    shift.NAME: shift.plan,
    rewrite.NAME: rewrite.plan,
}

PROGRAMS: Final[Mapping[tuple[str, str], Callable[[Splices, Layout], Program]]] = {
    (overwrite.NAME, "atoms"): overwrite.Overwrite,
    (blocks.NAME, "range"): blocks.Blocks,
    (rewrite.NAME, "swap"): rewrite.Rewrite,
    **{(shift.NAME, form): program for form, program in shift.PROGRAMS.items()},
}
"""Every program by planner and form: how recovery compiles a journalled plan again."""


def choose(splices: Splices, facts: Facts, policy: Policy, target: Target) -> Choice:
    """Takes the cheapest plan that fits the storage, the policy and the space there is.

    Raises:
        NoPlanError: none fits; ``facts['rejected']`` has every reason.
        LimitError: plans fit, but not into the space there is.
        RequestError: the policy names a planner that does not exist.
    """
    if policy.planner is not None and policy.planner not in PLANNERS:
        raise RequestError(
            f"There is no planner {policy.planner!r}.", hint=f"Planners: {', '.join(PLANNERS)}."
        )
    offers = [make(splices, facts, policy, target) for make in PLANNERS.values()]
    losers = [offer for offer in offers if isinstance(offer, Rejected)]
    plans = sorted(
        (offer for offer in offers if isinstance(offer, Plan)), key=lambda plan: plan.cost.seconds()
    )
    space = facts.free_bytes if policy.space_bytes is None else min(policy.space_bytes, facts.free_bytes)
    fitting = []
    for plan in plans:
        if policy.planner not in (None, plan.planner):
            losers.append(Rejected(plan.planner, f"the policy asks for {policy.planner}"))
        elif plan.cost.space_bytes + max(0, splices.summary.growth) > space:
            losers.append(_too_large(plan, splices, space))
        else:
            fitting.append(plan)
    if not fitting:
        raise _no_plan(losers, plans, space)
    best = fitting[0]
    losers += (Rejected(plan.planner, _costlier(plan, best)) for plan in fitting[1:])
    return Choice(best, tuple(losers))


def _too_large(plan: Plan, splices: Splices, space: int) -> Rejected:
    needed = plan.cost.space_bytes + max(0, splices.summary.growth)
    return Rejected(plan.planner, f"it needs {needed:,} bytes of space, and {space:,} are free")


def _costlier(plan: Plan, best: Plan) -> str:
    return (
        f"it writes {plan.cost.written_bytes:,} bytes instead of {best.cost.written_bytes:,} "
        f"(about {plan.cost.seconds():.3g} s instead of {best.cost.seconds():.3g} s)"
    )


def _no_plan(losers: list[Rejected], plans: list[Plan], space: int) -> RequestError:
    reasons = "; ".join(f"{loser.planner}: {loser.reason}" for loser in losers)
    rejected = [{"planner": loser.planner, "reason": loser.reason} for loser in losers]
    if plans and not any("policy asks" in loser.reason for loser in losers):
        return LimitError(
            f"The edit does not fit into the {space:,} bytes of space there are. The file is unchanged.",
            hint=f"Free some space, or commit with history=0 (--no-undo). {reasons}.",
            rejected=rejected,
            space_bytes=space,
        )
    return NoPlanError(
        f"No way to carry out the edit fits: {reasons}. The file is unchanged.",
        hint="Relax the policy, or free what stands in the way.",
        rejected=rejected,
    )
