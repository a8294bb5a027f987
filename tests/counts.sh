#!/bin/sh
# The files that name one kind of a thing, which is what a new kind touches: a paginator, a merge strategy, a credential.
# Not counted: recorded data, jobs, the changelog, and the chapter that is generated from the schema.
# Usage: tests/counts.sh [REVISION]
set -e
cd "$(dirname "$0")/.."
revision=${1:-HEAD}

count() {
	title=$1
	shift
	files=$(git grep -lw "$@" "$revision" -- . ':!*/conformance/*' ':!*/transcripts/*' ':!CHANGELOG.md' ':!tests/counts.sh' \
		':!procedures/docs/src/job.md' ':!procedures/jobs/*.json' | sed 's/^[^:]*://')
	# The schema is in the folder of the jobs.
	files="$files
procedures/jobs/job.schema.json"
	echo "$title: $(echo "$files" | wc -l) files"
	echo "$files" | sed 's/^/  /'
}

count "a paginator (header_cursor)" -e header_cursor -e HeaderCursor -e HeaderCursorPages
count "a merge strategy (insert-only)" -e insert-only -e InsertOnly -e insert_only
count "a credential (snowflake_oauth)" -e snowflake_oauth -e SnowflakeOauth
