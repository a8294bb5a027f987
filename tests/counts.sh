#!/bin/sh
# The files that name one kind of a thing, which is what a new kind touches: a paginator, a merge strategy, a column
# type, a credential. tests/rust/tests/counts.rs limits the numbers.
#
# The column type is wei: no file uses the word for anything else, as they do for time, date or text. It is stored as
# decimals are. A type with another storage also touches the files that match on StorageType.
#
# Not counted: recorded data, jobs, the changelog, and the chapter that is generated from the schema.
# Usage: tests/counts.sh [REVISION]; without one, the files of the working tree.
set -e
cd "$(dirname "$0")/.."
revision=${1:---untracked}

count() {
	title=$1
	shift
	files=$(git grep -lw "$@" "$revision" -- . ':!*/conformance/*' ':!*/transcripts/*' ':!tests/data/stored/*' ':!CHANGELOG.md' ':!tests/counts.sh' \
		':!procedures/docs/src/job.md' ':!procedures/jobs/*.json' | sed 's/^[^:]*://')
	# The schema is in the folder of the jobs.
	files="$files
procedures/jobs/job.schema.json"
	echo "$title: $(echo "$files" | wc -l) files"
	echo "$files" | sed 's/^/  /'
}

count "a paginator (header_cursor)" -e header_cursor -e HeaderCursor -e HeaderCursorPages
count "a merge strategy (insert-only)" -e insert-only -e InsertOnly -e insert_only
count "a column type (wei)" -e wei -e Wei
count "a credential (snowflake_oauth)" -e snowflake_oauth -e SnowflakeOauth
