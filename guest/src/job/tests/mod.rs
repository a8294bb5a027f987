//! Whole jobs: what they say, and what is said about those that are wrong.

use serde_json::{Value, json};

use super::*;
use crate::dlt::merge_strategy::MergeStrategy;
use crate::dlt::types::DataType;
use crate::job::paginator::ParamLocation;

const JIRA: &str =
    include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../procedures/jobs/jira.json"));
const ALLOW_LIST: &str =
    include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../procedures/jobs/jira_allow_list.json"));

fn small() -> Value {
    json!({"pipeline": "p", "database": "D", "dataset": "s", "resources": [{"name": "items"}]})
}

/// The small job with values put at JSON pointers.
fn with(changes: &[(&str, Value)]) -> Value {
    let mut job = small();
    for (pointer, value) in changes {
        let (parent, key) = pointer.rsplit_once('/').unwrap();
        job.pointer_mut(parent)
            .unwrap()
            .as_object_mut()
            .unwrap()
            .insert(key.to_owned(), value.clone());
    }
    job
}

fn parse(job: &Value) -> Result<Job> {
    Job::parse(&job.to_string())
}

#[test]
fn a_load_in_parts_needs_rows_that_do_not_depend_on_each_other() {
    let check = |disposition: Value, merge_key: Value, expect: Option<&str>| {
        let job = with(&[
            ("/resources/0/checkpoint", json!({"pages": 1})),
            ("/resources/0/primary_key", json!("id")),
            ("/resources/0/merge_key", merge_key),
            ("/resources/0/write_disposition", disposition.clone()),
        ]);
        let found = parse(&job).map(|_| ()).map_err(|fault| fault.message);
        let expect = expect.map_or(Ok(()), |why| Err(format!("no checkpoint is possible: {why}")));
        assert_eq!(found, expect, "{disposition}");
    };
    let merge = |strategy: &str| json!({"disposition": "merge", "strategy": strategy});
    let ends = Some(
        "scd2 and cdc retire or delete rows that are absent from the load, so it must be complete",
    );
    check(json!("append"), json!([]), None);
    let whole = "replace publishes a table as a whole, so the load must be complete";
    check(json!("replace"), json!([]), Some(whole));
    check(json!("merge"), json!([]), None);
    for strategy in MergeStrategy::ALL {
        let expect = ends.filter(|_| ["scd2", "cdc"].contains(&strategy.name()));
        check(merge(strategy.name()), json!([]), expect);
    }
    let groups = "all rows of one merge_key are replaced together, so the load must be complete";
    check(json!("merge"), json!("day"), Some(groups));
    let scope = json!({"disposition": "merge", "destination_scope": "day = 1"});
    let absent = "rows in the destination_scope that are absent from the load are deleted, so it must be complete";
    check(scope, json!([]), Some(absent));
}

#[test]
fn reads_the_reference_job() {
    let job = Job::parse(&JIRA.replace("{{jira_subdomain}}", "snowcat")).unwrap();
    assert_eq!((job.pipeline.as_str(), job.schema_name.as_deref()), ("jira", None));
    assert_eq!((job.database.as_str(), job.dataset.as_str()), ("RAW", "jira"));
    assert_eq!((job.max_identifier_length, job.max_table_nesting, job.root_key), (255, 1000, None));
    let [issues, projects] = job.resources.as_slice() else { panic!() };

    assert_eq!(issues.write_disposition, WriteDisposition::Merge(Box::default()));
    assert_eq!(issues.primary_key, Key { columns: vec!["id".to_owned()], single: true });
    assert_eq!(issues.max_table_nesting, Some(3));
    assert_eq!(issues.columns.len(), 21);
    assert!(is_clustered(&issues.columns["fields__project__id"]));
    let as_json = |hints: &&ColumnHints| data_type(hints) == Some("json");
    assert_eq!(issues.columns.values().filter(as_json).count(), 20);
    let endpoint = issues.endpoint().unwrap();
    assert_eq!(endpoint.params.keys().collect::<Vec<_>>(), ["maxResults", "fields", "expand"]);
    assert_eq!(endpoint.data_selector.as_ref().unwrap().as_str(), "issues");
    let Some(Paginator::Cursor(pages)) = &endpoint.paginator else { panic!() };
    assert_eq!(pages.location, ParamLocation::Query("nextPageToken".to_owned()));
    assert_eq!(job.credential(endpoint).unwrap().secret, "jira_creds");
    let cursor = issues.cursor.as_ref().unwrap();
    assert_eq!(cursor.path.as_str(), "fields.updated");
    assert_eq!(cursor.start_param.as_deref(), Some("jql"));

    assert_eq!(projects.write_disposition, WriteDisposition::Replace(None));
    assert_eq!(projects.max_table_nesting, Some(0));
    let Some(Paginator::Range(pages)) = &projects.endpoint().unwrap().paginator else { panic!() };
    assert_eq!((pages.first, pages.step), (0, 100));
    assert_eq!(pages.location, ParamLocation::Query("startAt".to_owned()));
    assert!(projects.columns.is_empty() && projects.cursor.is_none());

    let fault = Job::parse(JIRA).unwrap_err();
    assert_eq!(
        fault.to_string(),
        "client.base_url: expected a URL such as https://api.example.com/v1/, found \
         \"https://{{jira_subdomain}}.atlassian.net/\": the placeholder jira_subdomain was not \
         filled in (--set jira_subdomain=VALUE does)"
    );
}

#[test]
fn reads_the_allow_list() {
    let job = Job::parse(&ALLOW_LIST.replace("{{jira_subdomain}}", "snowcat")).unwrap();
    let reference = Job::parse(&JIRA.replace("{{jira_subdomain}}", "snowcat")).unwrap();
    let [issues, projects] = job.resources.as_slice() else { panic!() };
    let unnest = issues.unnest.as_ref().unwrap();
    for open in [
        &["fields", "project"][..],
        &["changelog", "histories", "items"],
        &["fields", "comment", "comments"],
    ] {
        assert!(unnest.opens(open), "{open:?}");
    }
    assert!(!unnest.opens(&["fields", "customfield_10003"]));
    assert_eq!(issues.columns.len(), 1);
    assert_eq!(issues.input, reference.resources[0].input);
    assert_eq!(issues.cursor, reference.resources[0].cursor);
    assert_eq!(*projects, reference.resources[1]);
}

#[test]
fn lays_resources_over_defaults() {
    let job = parse(&json!({
        "pipeline": "p", "database": "D", "dataset": "s", "schema_contract": "freeze",
        "client": {"base_url": "https://x.net/v1"},
        "selected": ["a", "users"],
        "resource_defaults": {
            "primary_key": "id",
            "merge_key": ["x"],
            "columns": {"a": {"cluster": true}},
            "endpoint": {"params": {"size": 10, "q": "x"}, "data_selector": "data"},
        },
        "resources": [
            {"name": "a", "endpoint": {"params": {"q": "y"}}, "merge_key": null,
             "columns": {"a": {"data_type": "text"}}, "schema_contract": {"columns": "evolve"}},
            "users",
            {"name": "b", "endpoint": "b/c", "primary_key": ["m", "n"], "columns": null},
            {"name": "held"},
            {"name": "asked", "source": "endpoint"},
        ],
    }))
    .unwrap();
    let [a, users, b, held, asked] = job.resources.as_slice() else { panic!() };
    let selected: Vec<&str> = job.selected().map(|r| r.name.as_str()).collect();
    assert_eq!(selected, ["a", "users"]);
    assert!(a.merge_key.is_empty() && !users.merge_key.is_empty());
    assert_eq!((&job.schema_contract, &b.schema_contract), (&json!("freeze"), &json!(null)));
    assert!(is_clustered(&a.columns["a"]) && data_type(&a.columns["a"]).is_some());
    assert!(is_clustered(&users.columns["a"]) && b.columns.is_empty());
    assert_eq!(b.primary_key, Key { columns: vec!["m".to_owned(), "n".to_owned()], single: false });
    let endpoint = a.endpoint().unwrap();
    assert_eq!(endpoint.params.keys().collect::<Vec<_>>(), ["size", "q"]);
    assert_eq!(endpoint.path.plain(), Some("a"));
    assert_eq!(users.endpoint().unwrap().path.plain(), Some("users"));
    assert_eq!(b.endpoint().unwrap().path.plain(), Some("b/c"));
    assert_eq!(held.input, Input::Pull(Pulled::default()));
    assert_eq!(asked.endpoint().unwrap().data_selector.as_ref().unwrap().as_str(), "data");
}

#[test]
fn reads_nested_hints_and_pulled_cursors() {
    let job = parse(&with(&[(
        "/resources",
        json!([{
            "name": "items",
            "incremental": {"cursor_path": "ts", "initial_value": 5, "lag": 2, "row_order": "desc",
                            "range_start": "open", "primary_key": []},
            "nested_hints": {
                "a.b": {"columns": {"x": {"data_type": "text"}}},
                "a": {"primary_key": "id", "write_disposition": "merge", "schema_contract": "freeze"},
                "['x.y'].b.c": {},
            },
        }]),
    )]))
    .unwrap();
    let cursor = job.resources[0].cursor.as_ref().unwrap();
    assert_eq!(cursor.initial_value, Some(CursorValue::Whole(5)));
    assert_eq!((cursor.lag, cursor.row_order), (Some(2.0), Some(Sort::Descending)));
    assert!(!cursor.start_closed && !cursor.end_closed);
    assert!(cursor.key.as_ref().is_some_and(Key::is_empty));
    for (path, message) in
        [("['a", "['a"), ("a['b'][0]", "expected the keys to a list and nothing else")]
    {
        let hints = json!({ path: {} });
        let fault = parse(&with(&[("/resources", json!([{"name": "r", "nested_hints": hints}]))]));
        let fault = fault.unwrap_err().to_string();
        assert!(fault.contains(message) && fault.contains("nested_hints"), "{fault}");
    }
    let [parent, child, dotted] = job.resources[0].nested_hints.as_slice() else { panic!() };
    assert_eq!(dotted.path, ["x.y", "b", "c"]);
    assert_eq!((parent.path.join("/"), child.path.join("/")), ("a".to_owned(), "a/b".to_owned()));
    assert_eq!(parent.schema_contract, json!("freeze"));
    assert_eq!(data_type(&child.columns["x"]), Some("text"));
}

#[test]
#[expect(clippy::too_many_lines, reason = "a table of cases")]
fn names_mistakes() {
    let types = DataType::ALL.map(|data_type| format!("{:?}", data_type.name())).join(", ");
    let check = |pointer: &str, value: Value, message: &str| {
        let job = with(&[(pointer, value)]);
        assert_eq!(parse(&job).unwrap_err().to_string(), message, "{job}");
    };
    check("/pipelin", json!("p"), "unknown key \"pipelin\", did you mean \"pipeline\"?");
    check("/destination", json!("x"), "unknown key \"destination\": it is always Snowflake");
    check(
        "/colour",
        json!("x"),
        "unknown key \"colour\", expected one of $schema, pipeline, database, dataset, schema_name, naming, max_identifier_length, max_table_nesting, max_columns, max_tables, root_key, schema_contract, selected, create_indexes, stage_encryption, delivery, force_full_load, refresh, interval, slice, dev_mode, credentials, client, resource_defaults, resources",
    );
    check("/database", json!(null), "database: expected a string, found nothing");
    check("/dataset", json!(""), "dataset: expected a string, found an empty one");
    check("/dataset", json!(["x"]), "dataset: expected a string, found a list");
    check(
        "/naming",
        json!("snake"),
        "naming: expected one of \"snake_case\", \"direct\", \"duck_case\", \"sql_ci_v1\", \"sql_cs_v1\", found \"snake\"",
    );
    check(
        "/max_identifier_length",
        json!(256),
        "max_identifier_length: expected an integer from 10 to 255, found 256",
    );
    check(
        "/max_table_nesting",
        json!(-1),
        "max_table_nesting: expected an integer from 0 to 1000, found -1",
    );
    check(
        "/max_table_nesting",
        json!(1.5),
        "max_table_nesting: expected an integer from 0 to 1000, found 1.5",
    );
    check("/root_key", json!("yes"), "root_key: expected true or false, found \"yes\"");
    check("/force_full_load", json!(1), "force_full_load: expected true or false, found 1");
    check("/dev_mode", json!("yes"), "dev_mode: expected true or false, found \"yes\"");
    check(
        "/refresh",
        json!("drop_all"),
        "refresh: expected one of \"drop_sources\", \"drop_resources\", \"drop_data\", found \"drop_all\"",
    );
    check(
        "/schema_contract",
        json!("freezed"),
        "schema_contract: unknown \"freezed\", did you mean \"freeze\"?",
    );
    check(
        "/selected",
        json!(["itms"]),
        "selected[0]: there is no resource \"itms\", did you mean \"items\"?",
    );
    check(
        "/selected",
        json!(["orders"]),
        "selected[0]: there is no resource \"orders\", expected one of items",
    );
    check("/selected", json!([1]), "selected[0]: expected a string, found 1");
    check("/resources", json!([]), "resources: expected at least one resource, found nothing");
    check("/resources", json!({}), "resources: expected a list, found an object");
    check("/resources", json!([1]), "resources[0]: expected an object or a string, found 1");
    check("/resources", json!([{}]), "resources[0].name: expected a string, found nothing");
    check(
        "/resources",
        json!([{"name": "a"}, {"name": "a"}]),
        "resources[1].name: the resource \"a\" is given twice",
    );
    for (one, other, table) in
        [("顧客", "注文", "X"), ("userItems", "user_items", "USER_ITEMS"), ("a b", "a-b", "A_B")]
    {
        let message = format!(
            "resources[2]: the resources {one:?} and {other:?} would share the table {table}: give one of them another \
             \"table_name\", or both this one if they are to share it"
        );
        let resource = |name: &str| json!({"name": name, "source": "pull"});
        check("/resources", json!([resource(one), resource("c"), resource(other)]), &message);
    }
    check("/resources", json!(["a"]), "client: expected an object with a base_url, found nothing");
    check(
        "/resources/0/tablename",
        json!("x"),
        "resources[0]: unknown key \"tablename\", did you mean \"table_name\"?",
    );
    check(
        "/resources/0/parallelized",
        json!(true),
        "resources[0]: unknown key \"parallelized\": how requests are sent is the host's business",
    );
    check(
        "/resources/0/write_disposition",
        json!("upsert"),
        "resources[0].write_disposition: expected one of \"append\", \"replace\", \"merge\", \"skip\", found \"upsert\"",
    );
    check(
        "/resources/0/primary_key",
        json!(["a", "a"]),
        "resources[0].primary_key[1]: the column \"a\" is given twice",
    );
    check(
        "/resources/0/primary_key",
        json!(1),
        "resources[0].primary_key: expected a column's name or a list of names, found 1",
    );
    check(
        "/resources/0/columns",
        json!({"a b": {"sort": 1}}),
        "resources[0].columns[\"a b\"].sort: expected true or false, found 1",
    );
    check(
        "/resources/0/unnest",
        json!(["a", "b[0]"]),
        "resources[0].unnest[1]: expected a path such as fields.comment.comments, changelog.histories[*].items or fields.project.**, found \"b[0]\": a list is unnested whole, not by position",
    );
    check(
        "/resources/0/source",
        json!("stage"),
        "resources[0].source: expected one of \"endpoint\", \"pull\", found \"stage\"",
    );
    check(
        "/resources/0/nested_hints",
        json!({"a..b": {}}),
        "resources[0].nested_hints[\"a..b\"]: expected the keys to a list with dots between them, found \"a..b\"",
    );
    check(
        "/resources/0/nested_hints",
        json!({"a": {"columns": {"x": {"type": "text"}}}}),
        "resources[0].nested_hints.a.columns.x: unknown key \"type\", expected one of name, data_type, nullable, precision, scale, timezone, description, partition, cluster, unique, sort, primary_key, row_key, parent_key, root_key, merge_key, variant, hard_delete, dedup_sort, incremental",
    );
    check(
        "/resources/0/incremental",
        json!({"cursor_path": "a", "start_param": "q"}),
        "resources[0].incremental.start_param: a resource without an endpoint sends no requests",
    );
    check(
        "/resource_defaults",
        json!({"name": "x"}),
        "resource_defaults.name: expected nothing: every resource has a name of its own",
    );
    check(
        "/resource_defaults",
        json!({"endpoint": {"parms": {}}}),
        "resource_defaults.endpoint: unknown key \"parms\", did you mean \"params\"?",
    );
    check(
        "/resource_defaults",
        json!({"columns": {"a": {"data_type": "int"}}}),
        &format!("resource_defaults.columns.a.data_type: expected one of {types}, found \"int\""),
    );
    check(
        "/client",
        json!({"base_url": "https://x.net", "auth": "jira"}),
        "client.auth: \"jira\" is none of the job's credentials",
    );
    check(
        "/client",
        json!({"base_url": "x.net"}),
        "client.base_url: expected a URL such as https://api.example.com/v1/, found \"x.net\": it begins with neither https:// nor http://",
    );
    check(
        "/client",
        json!({"base_url": "https://x.net", "session": 1}),
        "client: unknown key \"session\": it is code: how requests are sent is the host's business",
    );
}

#[test]
fn resources_share_a_table_that_each_of_them_names() {
    let check = |tables: [Option<&str>; 2], expect: bool| {
        let resource = |(name, table): (&str, Option<&str>)| match table {
            Some(table) => json!({"name": name, "source": "pull", "table_name": table}),
            None => json!({"name": name, "source": "pull"}),
        };
        let resources: Vec<Value> =
            ["items", "more"].into_iter().zip(tables).map(resource).collect();
        let found = parse(&with(&[("/resources", json!(resources))]));
        assert_eq!(found.is_ok(), expect, "{tables:?}");
    };
    check([None, None], true);
    check([Some("all"), Some("all")], true);
    check([Some("all"), Some("All")], true);
    check([None, Some("items")], false);
    check([Some("more"), None], false);
}

#[test]
fn resources_have_no_tables_of_dlt() {
    let check = |naming: &str, name: &str, expect: bool| {
        let resources = json!([{"name": name, "source": "pull"}]);
        let found = parse(&with(&[("/resources", resources), ("/naming", json!(naming))]));
        assert_eq!(found.is_ok(), expect, "{naming} {name}");
    };
    for naming in ["snake_case", "direct", "duck_case", "sql_ci_v1", "sql_cs_v1"] {
        check(naming, "dlt_loads", true);
        check(naming, "_dlt_loads", false);
        check(naming, "_DLT_Pipeline_State", false);
        check(naming, "_dlt", false);
    }
    check("snake_case", "_dltLoads", false);
}

#[test]
fn many_resources_are_read_in_little_time() {
    let many = |count: usize| {
        let name = |n: usize| format!("{}{n}", "x".repeat(4000));
        let path = format!("{{resources.{}.id}}", "y".repeat(4000));
        let resource = |n| json!({"name": name(n), "endpoint": {"path": path}});
        let resources: Vec<Value> = (0..count).map(resource).collect();
        let client = json!({"base_url": "https://x.example/"});
        let job = with(&[("/resources", json!(resources)), ("/client", client)]);
        parse(&job).unwrap_err().to_string()
    };
    let found = many(1000);
    let found = found.get(found.len() - 100..).unwrap();
    assert!(found.contains("is none of the job's resources"), "{found}");
    assert_eq!(many(1001), "resources: expected at most 1000 resources, found 1001");
}

#[test]
fn names_mistakes_about_requests() {
    let check = |endpoint: Value, more: &[(&str, Value)], message: &str| {
        let mut changes = vec![
            ("/client", json!({"base_url": "https://api.x.net/v1/", "auth": "x"})),
            (
                "/credentials",
                json!({"x": {"type": "bearer", "hosts": ["api.x.net"]},
                                    "y": {"type": "bearer", "hosts": ["y.net", "z.net"]}}),
            ),
            ("/resources/0/endpoint", endpoint),
        ];
        changes.extend(more.iter().cloned());
        let job = with(&changes);
        assert_eq!(parse(&job).unwrap_err().to_string(), message, "{job}");
    };
    check(
        json!({"paginator": {"type": "cursor", "cursor_parm": "x"}}),
        &[],
        "resources[0].endpoint.paginator: unknown key \"cursor_parm\", did you mean \"cursor_param\"?",
    );
    check(
        json!({"auth": "xx"}),
        &[],
        "resources[0].endpoint.auth: \"xx\" is none of the job's credentials, did you mean \"x\"?",
    );
    check(
        json!({"auth": "y"}),
        &[],
        "resources[0].endpoint: the credential \"y\" is for y.net, z.net and not for api.x.net: \
         name the host in credentials.y.hosts, or another credential in \"auth\"",
    );
    check(
        json!("https://evil.net/items"),
        &[],
        "resources[0].endpoint: the credential \"x\" is for api.x.net and not for evil.net: name \
         the host in credentials.x.hosts, or another credential in \"auth\"",
    );
    check(
        json!({"incremental": {"cursor_path": "a"}}),
        &[("/resources/0/incremental", json!({"cursor_path": "b"}))],
        "resources[0].incremental: expected one cursor, found another in the endpoint",
    );
    check(
        json!({"incremental": {"cursor_path": "a", "inital_value": 1}}),
        &[],
        "resources[0].endpoint.incremental: unknown key \"inital_value\", did you mean \"initial_value\"?",
    );
}

mod schema;

#[test]
fn naming_conventions_have_dlts_names() {
    for (name, naming) in NAMINGS {
        assert_eq!(naming.name(), *name);
    }
}

fn is_clustered(hints: &ColumnHints) -> bool {
    hints.get("cluster") == Some(&json!(true))
}

fn data_type(hints: &ColumnHints) -> Option<&str> {
    hints.get("data_type").and_then(Value::as_str)
}
