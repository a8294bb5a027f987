"""The steps of a load in a procedure: SQL on its session, files on its stages, and HTTP."""

import io
import itertools
import time

from snowcat_fault import Failed
from snowcat_input import ERRORS, pages
from snowflake.connector.errors import Error
from snowflake.snowpark.exceptions import SnowparkClientException

SQL_ERRORS = (Error, SnowparkClientException)
# Too many statements wait for a lock, or LOCK_TIMEOUT has passed: another attempt can succeed.
TRANSIENT = ("625",)


class Snowflake:
    """The session of a procedure, its stages, and the network that it may use."""

    def __init__(self, session, http_client):
        self.session = session
        self.http = http_client
        # The status of the last answer.
        self.last_status = None
        # The resource and files that are read, and their pages.
        self._pulled = None
        self._pages = iter(())

    def sql(self, statements):
        """Run the statements one by one; for each, the changed rows and the rows as text."""
        outcomes = []
        for statement in statements:
            try:
                rows = self.session.sql(statement).collect()
            except SQL_ERRORS as error:
                raise _sql_failure(error) from error
            texts = [[None if value is None else str(value) for value in row] for row in rows]
            outcomes.append((_affected(rows), texts))
        return outcomes

    def fetch(self, requests):
        """Send the requests."""
        answers = self.http.fetch(requests)
        statuses = [answer["status"] for case, answer in answers if case == "ok"]
        self.last_status = statuses[-1] if statuses else self.last_status
        return answers

    def upload(self, stage, path, data):
        """Put the file on the stage; it replaces one of the same name."""
        place = f"@{stage}/{path}"
        try:
            stream = io.BytesIO(data)
            self.session.file.put_stream(stream, place, auto_compress=False, overwrite=True)
        except SQL_ERRORS as error:
            raise _sql_failure(error) from error

    def pull(self, pull):
        """The next page of the files that a step names, or their columns; None at the end."""
        if pull["skip"] or not pull["files"]:
            raise Failed("", f"this host holds no input for {pull['resource']!r}", transient=False)
        for place in pull["files"]:
            # `get_stream` also reads files of this machine, of Snowflake and of repositories.
            if not place.startswith('@"'):
                raise Failed("", f"{place}: this host reads files on stages only", transient=False)
        named = (pull["resource"], *pull["files"])
        try:
            if self._pulled != named:
                self._pages = self._opened(pull)
                self._pulled = named
            return next(self._pages, None)
        except (*SQL_ERRORS, *ERRORS) as error:
            why = f"{pull['files'][-1]}: {type(error).__name__}: {error}"
            raise Failed("", why, transient=False) from error

    def wait(self, seconds):
        """Sleep."""
        time.sleep(seconds)

    def _opened(self, pull):
        stream = self.session.file.get_stream
        files = [stream(place, decompress=False) for place in pull["files"]]
        each = (pages(file, pull["content"], pull.get("encoding")) for file in files)
        return itertools.chain.from_iterable(each)


def _affected(rows):
    """The number of rows that a statement changed; None if its result does not say."""
    total = None
    for row in rows:
        for name, value in zip(getattr(row, "_fields", None) or (), row, strict=False):
            if name.lower().startswith("number of rows ") or name.lower() == "rows_loaded":
                total = (total or 0) + int(value or 0)
    return total


def _sql_failure(error):
    """The `Failed` for an error of Snowpark or of the connector; their attributes differ."""
    code = _first(error, "sql_error_code", "errno", "error_code")
    message = _first(error, "raw_message", "raw_msg", "message")
    code = "" if code is None else str(code)
    return Failed(code, message or str(error), transient=code.lstrip("0") in TRANSIENT)


def _first(error, *names):
    """The first of these attributes that is not empty; else the last one."""
    value = None
    for name in names:
        value = getattr(error, name, None)
        if value:
            break
    return value
