"""fakesnow's translation of a statement, without the passes that cannot change it.

fakesnow walks over a statement once for each thing that it translates, 75 times. Most passes look for kinds of nodes
that a statement does not have. A pass that `KINDS` does not list always runs.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from fakesnow.cursor import FakeSnowflakeCursor
from sqlglot import exp

Kinds = tuple[type[exp.Expression], ...]

CAST = (exp.Cast,)
CREATE = (exp.Create,)
NUMERIC = (exp.Sum, exp.Avg, exp.Variance, exp.Stddev, exp.StddevSamp, exp.StddevPop, exp.VariancePop, exp.Median)
SHOW = (exp.Show,)
SHOW_TEXT = (exp.Show, exp.Command)
TYPE = (exp.DataType,)
# For each pass the kinds of nodes without which it changes nothing: one of them has to be in the statement.
KINDS: dict[str, Kinds] = {
    "identifier": (exp.Anonymous, exp.DynamicIdentifier),
    "upper_case_unquoted_identifiers": (exp.Identifier,),
    "alter_session": (exp.Alter,),
    "current_version": (exp.CurrentVersion,),
    "set_schema": (exp.Use,),
    "create_database": CREATE,
    "extract_comment_on_table": (exp.Create, exp.Comment, exp.Alter),
    "extract_comment_on_columns": (exp.Alter,),
    "drop_schema_cascade": (exp.Drop,),
    "tag": (exp.Alter, exp.Command, exp.Create, exp.Drop),
    "semi_structured_types": TYPE,
    "try_parse_json": (exp.Anonymous,),
    "split": (exp.Split,),
    "trim_cast_varchar": (exp.Trim,),
    "indices_to_json_extract": (exp.Bracket,),
    "json_extract_cast_as_varchar": CAST,
    "json_extract_cased_as_varchar": (exp.Upper, exp.Lower),
    "json_extract_precedence": (exp.JSONExtract, exp.JSONExtractScalar),
    "flatten_value_cast_as_varchar": CAST,
    "flatten": (exp.Lateral, exp.TableFromRows),
    "regex_replace": (exp.RegexpReplace,),
    "regex_substr": (exp.RegexpExtract,),
    "result_scan": (exp.TableFromRows,),
    "values_columns": (exp.Values,),
    "to_date": (exp.Anonymous,),
    "timestamp_offsets": CAST,
    "to_decimal": (exp.ToNumber,),
    "to_timestamp": (exp.UnixToTime, exp.Anonymous, exp.Cast),
    "to_variant": (exp.ToVariant,),
    "object_construct": (exp.StarMap, exp.Struct, exp.JSONObject),
    "timestamp_ntz": TYPE,
    "float_to_double": TYPE,
    "integer_precision": TYPE,
    "extract_text_length": (exp.Create, exp.Alter),
    "sample": (exp.TableSample,),
    "array_size": (exp.ArraySize,),
    "random": (exp.Rand,),
    "array_agg_within_group": (exp.WithinGroup,),
    "array_agg": (exp.ArrayAgg,),
    "object_agg": (exp.ObjectAgg,),
    "array_construct_etc": (exp.ArrayConstructCompact, exp.Array, exp.ArrayConcat),
    "dateadd_date_cast": (exp.DateAdd,),
    "dateadd_string_literal_timestamp_cast": (exp.DateAdd,),
    "datediff_string_literal_timestamp_cast": (exp.DateDiff,),
    "show_databases": SHOW,
    "show_functions": SHOW_TEXT,
    "show_procedures": SHOW,
    "show_parameters": SHOW_TEXT,
    "show_warehouses": SHOW,
    "show_schemas": SHOW,
    "show_tables_etc": SHOW,
    "show_columns": SHOW,
    "show_stages": SHOW,
    "show_sequences": SHOW,
    "show_keys": SHOW,
    "show_users": SHOW,
    "create_user": (exp.Command,),
    "haversine": (exp.Anonymous,),
    "hex_string": (exp.HexString,),
    "sha256": (exp.SHA2, exp.SHA2Digest, exp.Anonymous),
    "create_clone": CREATE,
    "alias_in_join": (exp.Join,),
    "alias_in_where": (exp.Where,),
    "alter_table_strip_cluster_by": (exp.Alter, exp.Command),
    "numeric_agg_implicit_cast": NUMERIC,
    "create_stage": CREATE,
    "create_file_format": CREATE,
    "list_stage": (exp.ListStage,),
    "put_stage": (exp.Put,),
    "create_table_as": CREATE,
}


def translated(cursor: FakeSnowflakeCursor, expression: exp.Expression, params: list | None) -> exp.Expression:
    """The expression, changed in place, as fakesnow translates it for DuckDB."""
    done: Any = cursor._transform(Passes(expression), params)  # type: ignore[arg-type]
    return done.expression


class Passes:
    """An expression that runs only the passes that may change it."""

    def __init__(self, expression: exp.Expression) -> None:
        self.expression = expression
        self.kinds = _kinds(expression)

    def transform(self, one: Callable, *given: Any, **named: Any) -> Passes:
        """The expression after this pass."""
        if not needed(_name(one), self.kinds):
            return self
        return Passes(self.expression.transform(one, *given, **named))


@functools.lru_cache(maxsize=100_000)
def needed(name: str, present: frozenset[type]) -> bool:
    """Returns `True` if the pass may change a statement with these kinds of nodes."""
    return name not in KINDS or any(issubclass(kind, KINDS[name]) for kind in present)


def _kinds(expression: exp.Expression) -> frozenset[type]:
    return frozenset(map(type, expression.dfs()))


def _name(one: Callable) -> str:
    """The name of a pass; that of a lambda is the function of `transforms` that it calls."""
    code = getattr(one, "__code__", None)
    if code is None or code.co_name != "<lambda>":
        return getattr(one, "__name__", "")
    return next((name for name in code.co_names if name in KINDS), "")
