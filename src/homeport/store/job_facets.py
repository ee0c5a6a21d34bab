"""What lists of jobs are narrowed by, out of the definitions: type, names, category, tags, kinds of triggers.

An index over the current versions, made anew by deploys like `job_triggers`, but kept for archived jobs too: they
are listed as well. Without it every list would read the JSON of every definition.
"""

from collections.abc import Iterable, Mapping
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from homeport.scheduling.triggers import JOB_EVENTS, TIMED, TriggerKind, parse_trigger
from homeport.store.schema import Tx, metadata

table = sa.Table(
    "job_facets",
    metadata,
    sa.Column("job_id", sa.Uuid, sa.ForeignKey("jobs.id"), primary_key=True),
    sa.Column("workspace_id", sa.Uuid, sa.ForeignKey("workspaces.id"), nullable=False),
    sa.Column("job_type", sa.String(20), nullable=False),
    sa.Column("category", sa.String(40)),
    sa.Column("pipeline_name", sa.Text),
    sa.Column("shown_name", sa.Text, nullable=False),
    sa.Column("searched", sa.Text, nullable=False),
    sa.Index("ix_job_facets_workspace", "workspace_id", "job_type"),
)

labels = sa.Table(
    "job_labels",
    metadata,
    sa.Column("job_id", sa.Uuid, sa.ForeignKey("jobs.id"), primary_key=True),
    sa.Column("kind", sa.String(20), primary_key=True),
    sa.Column("value", sa.String(300), primary_key=True),
    sa.CheckConstraint("kind IN ('tag', 'trigger_kind')", name="kind"),
)

SELF_FIRING = frozenset(map(str, TIMED | JOB_EVENTS | {TriggerKind.WEBHOOK, TriggerKind.HTTP}))
"""Kinds of triggers that start a job with no person involved (wire contract §8.1)."""


def write(
    tx: Tx, workspace_id: UUID, job_id: UUID, job_ref: str, definition: Mapping[str, Any], triggers: Iterable[str]
) -> None:
    """The facets of a job's current version, in place of those before."""
    tx.execute(labels.delete().where(labels.c.job_id == job_id))
    tx.execute(table.delete().where(table.c.job_id == job_id))
    tx.execute(table.insert().values(row(workspace_id, job_id, job_ref, definition)))
    rows = label_rows(job_id, definition, triggers)
    if rows:
        tx.execute(labels.insert(), rows)


def row(workspace_id: UUID, job_id: UUID, job_ref: str, definition: Mapping[str, Any]) -> dict[str, Any]:
    expose = definition.get("expose") or {}
    name = str(expose.get("display_name") or job_ref)
    pipeline_name = (definition.get("deliver") or {}).get("pipeline_name")
    return {
        "job_id": job_id,
        "workspace_id": workspace_id,
        "job_type": definition["entry_point"]["job_type"],
        "category": expose.get("category"),
        "pipeline_name": pipeline_name,
        "shown_name": name,
        # folded here: the databases do not agree on what a capital letter outside ASCII is
        "searched": f"{name}\n{job_ref}".casefold(),
    }


def label_rows(job_id: UUID, definition: Mapping[str, Any], triggers: Iterable[str]) -> list[dict[str, Any]]:
    """Tags, and the kinds of the declared triggers; `manual` is what `expose.manual` says: on by default."""
    expose = definition.get("expose") or {}
    tags = expose.get("tags") or []
    kinds = {str(parse_trigger(text).kind) for text in triggers} - {str(TriggerKind.MANUAL)}
    if expose.get("manual", True):
        kinds.add(str(TriggerKind.MANUAL))
    values = [("tag", tag) for tag in ([tags] if isinstance(tags, str) else tags)]
    values += [("trigger_kind", kind) for kind in sorted(kinds)]
    return [{"job_id": job_id, "kind": kind, "value": value} for kind, value in dict.fromkeys(values)]
