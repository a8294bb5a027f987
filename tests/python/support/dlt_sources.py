"""Sources of dlt, written by hand, with which the ready-made jobs for GitHub and PagerDuty are compared.

They are written independently of the job files, as a user of dlt would write a `rest_api` source for these services.
"""

from __future__ import annotations

from typing import Any

from dlt.sources.helpers.rest_client.auth import APIKeyAuth, BearerTokenAuth
from dlt.sources.helpers.rest_client.paginators import OffsetPaginator
from dlt.sources.rest_api import rest_api_source

BEGINNING = "1970-01-01T00:00:00Z"


def github(address: str, page: int) -> Any:
    """The lists of one repository of GitHub."""
    since = {"cursor_path": "updated_at", "initial_value": BEGINNING, "start_param": "since"}
    newest_first = {"initial_value": BEGINNING, "row_order": "desc"}
    return rest_api_source(
        {
            "client": {
                "base_url": f"http://{address}/repos/octo-org/octo-repo/",
                "auth": BearerTokenAuth("your-token"),
                "headers": {"Accept": "application/vnd.github+json", "X-GitHub-Api-Version": "2022-11-28"},
                "paginator": "header_link",
            },
            "resource_defaults": {
                "primary_key": "id",
                "write_disposition": "merge",
                "endpoint": {"params": {"per_page": page}},
            },
            "resources": [
                {
                    "name": "issues",
                    "endpoint": {
                        "path": "issues",
                        "params": {"state": "all", "sort": "updated", "direction": "asc"},
                        "incremental": since,
                    },
                },
                {
                    "name": "pull_requests",
                    "max_table_nesting": 1,
                    "endpoint": {
                        "path": "pulls",
                        "params": {"state": "all", "sort": "updated", "direction": "desc"},
                        "incremental": {"cursor_path": "updated_at", **newest_first},
                    },
                },
                {
                    "name": "comments",
                    "endpoint": {
                        "path": "issues/comments",
                        "params": {"sort": "updated", "direction": "asc"},
                        "incremental": since,
                    },
                },
                {
                    "name": "issue_events",
                    "columns": {"issue": {"data_type": "json"}},
                    "endpoint": {"path": "issues/events", "incremental": {"cursor_path": "created_at", **newest_first}},
                },
                {
                    "name": "stargazers",
                    "primary_key": "user__id",
                    "write_disposition": "replace",
                    "endpoint": {"path": "stargazers", "headers": {"Accept": "application/vnd.github.star+json"}},
                },
                {
                    "name": "commits",
                    "primary_key": "sha",
                    "endpoint": {
                        "path": "commits",
                        "incremental": {
                            "cursor_path": "commit.committer.date",
                            "initial_value": BEGINNING,
                            "start_param": "since",
                            "lag": 7 * 24 * 3600,
                        },
                    },
                },
            ],
        },
        name="github",
    )


def pagerduty(address: str, page: int) -> Any:
    """Incidents and their nested lists."""

    def plain(name: str) -> dict[str, Any]:
        return {"name": name, "endpoint": {"path": name, "data_selector": name}}

    def since(**more: Any) -> dict[str, Any]:
        return {"cursor_path": "created_at", "initial_value": "2025-06-01T00:00:00Z", "start_param": "since", **more}

    return rest_api_source(
        {
            "client": {
                "base_url": f"http://{address}/",
                "auth": APIKeyAuth(name="Authorization", api_key="Token token=your-key", location="header"),
                "headers": {"Accept": "application/vnd.pagerduty+json;version=2"},
                "paginator": OffsetPaginator(limit=page, total_path="total"),
            },
            "resource_defaults": {
                "primary_key": "id",
                "write_disposition": "replace",
                "endpoint": {"params": {"total": "true"}},
            },
            "resources": [
                plain("users"),
                plain("teams"),
                plain("services"),
                {
                    "name": "incidents",
                    "write_disposition": "merge",
                    "endpoint": {
                        "path": "incidents",
                        "data_selector": "incidents",
                        "params": {"sort_by": "created_at:asc"},
                        "incremental": since(lag=30 * 24 * 3600),
                    },
                },
                {
                    "name": "incident_notes",
                    "write_disposition": "merge",
                    "include_from_parent": ["id"],
                    "endpoint": {
                        "path": "incidents/{resources.incidents.id}/notes",
                        "data_selector": "notes",
                        "paginator": "single_page",
                    },
                },
                {
                    "name": "log_entries",
                    "write_disposition": "merge",
                    "endpoint": {"path": "log_entries", "data_selector": "log_entries", "incremental": since()},
                },
            ],
        },
        name="pagerduty",
    )
