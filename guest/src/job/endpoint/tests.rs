//! Endpoints, and the errors of invalid ones.

use serde_json::json;

use super::*;

#[test]
fn binds_paths() {
    let check = |value: Value, path: &str, params: &[&str], single: bool| {
        let (endpoint, _) = Endpoint::parse(&value, "endpoint", "items", &[]).unwrap();
        assert_eq!(endpoint.path.plain(), Some(path), "{value}");
        assert_eq!(endpoint.params.keys().collect::<Vec<_>>(), params, "{value}");
        assert_eq!(endpoint.paginator == Some(Paginator::single_page()), single, "{value}");
        assert_eq!(endpoint.data_selector == Some(Path::root()), single, "{value}");
    };
    check(json!({}), "items", &[], false);
    check(json!({"path": "a/b", "params": {"x": 1}}), "a/b", &["x"], false);
    check(
        json!({"path": "repos/{owner}/{n}/issues", "params": {"owner": "o", "n": 7, "x": 1}}),
        "repos/o/7/issues",
        &["x"],
        false,
    );
    check(json!({"path": "users/{id}/", "params": {"id": "me"}}), "users/me/", &[], true);
    check(json!({"path": "a/{{b}}/c"}), "a/{b}/c", &[], false);
}

#[test]
fn merges_with_defaults() {
    let check = |defaults: Value, own: Value, merged: Value| {
        let [Value::Object(defaults), Value::Object(own)] = [defaults, own] else { panic!() };
        assert_eq!(Value::Object(merge(&defaults, &own)).to_string(), merged.to_string());
    };
    check(
        json!({"params": {"a": 1, "b": {"c": 1}}, "paginator": {"type": "offset", "limit": 1}}),
        json!({"params": {"b": {"d": 2}}, "paginator": {"type": "cursor"}, "path": "p"}),
        json!({"params": {"a": 1, "b": {"d": 2}}, "paginator": {"type": "cursor"}, "path": "p"}),
    );
    check(json!({"params": {"a": 1}}), json!({"params": null}), json!({"params": null}));
}

#[test]
#[expect(clippy::too_many_lines, reason = "a table of cases")]
fn names_mistakes() {
    let check = |value: Value, message: &str| {
        let fault = Endpoint::parse(&value, "endpoint", "items", &[]).unwrap_err();
        assert_eq!(fault.to_string(), format!("endpoint{message}"));
    };
    check(json!({"paht": "x"}), ": unknown key \"paht\", did you mean \"path\"?");
    check(json!({"data": "x", "json": {}}), ": expected \"json\" or \"data\", found both");
    check(
        json!({"data": {"a": {"b": 1}}}),
        ".data.a: expected a string, a number, true, false or a list of those, found an object",
    );
    check(json!({"data": [1]}), ".data: expected an object, found a list");
    check(
        json!({"method": "PUT"}),
        ".method: expected one of \"GET\", \"POST\", \"get\", \"post\", found \"PUT\"",
    );
    check(
        json!({"path": "a/{id}"}),
        ".path: unknown placeholder {id}: expected the name of a parameter (in a path), incremental.start_value or resources.<parent>.<field>; write {{ and }} for braces that are meant",
    );
    check(
        json!({"path": "a/{id", "params": {"id": 1}}),
        ".path: expected braces in pairs, found \"a/{id\": write {{ and }} for braces that are meant",
    );
    check(
        json!({"path": "a/{id}", "params": {"id": [1]}}),
        ".path: endpoint.params.id: expected a string or a number, for it is part of the path, found a list",
    );
    check(
        json!({"params": {"q": "{incremental.start_value}"}}),
        ".params.q: {incremental.start_value} has no value: the endpoint has no \"incremental\"",
    );
    check(
        json!({"params": {"q": "{incremental.start_valu}"}}),
        ".params.q: unknown placeholder {incremental.start_valu}: did you mean {incremental.start_value}?",
    );
    check(
        json!({"path": "a/{resources.posts}/b"}),
        ".path: expected {resources.<parent>.<field>}, found {resources.posts}",
    );
    check(
        json!({"path": "a/{resources.posts.a..b}/b"}),
        ".path: {resources.posts.a..b}: expected a path such as a.b, $['a b'] or items[*].id, found \"a..b\": \"..\" is not supported: name the keys between",
    );
    check(
        json!({"path": "a/{resources.posts.id}/b", "params": {"u": "{resources.users.id}"}}),
        ".params.u: expected one parent, found posts and users",
    );
    check(
        json!({"params": {"id": {"type": "resolve", "resource": "a", "field": "b"}}}),
        ".params.id: expected {id} in the path; write {resources.<parent>.<field>} where a parameter of the query is meant",
    );
    check(
        json!({"path": "{id}", "params": {"id": {"type": "resolve", "resource": "a"}}}),
        ".params.id.field: expected a string, found nothing",
    );
    check(
        json!({"params": {"id": {"type": "x"}}}),
        ".params.id: expected a \"type\" of \"incremental\" or \"resolve\", found \"x\"",
    );
    check(
        json!({"params": {"id": [[1]]}}),
        ".params.id: expected a string, a number, true, false or a list of those, found a list",
    );
    check(
        json!({"params": {"a": {"type": "incremental", "cursor_path": "x"}}, "incremental": {"cursor_path": "y"}}),
        ".params.a: expected one cursor, found another in endpoint.incremental or params",
    );
    check(
        json!({"headers": {"Authorization": "x"}}),
        ".headers.Authorization: a secret does not belong in the job: name a credential in \"auth\"",
    );
    check(
        json!({"headers": {"a b": "x"}}),
        ".headers[\"a b\"]: expected the name of a header, found \"a b\"",
    );
    check(json!({"headers": {"A": "x", "a": "y"}}), ".headers.a: the header is given twice");
    check(
        json!({"headers": {"a": "x\r\ny: z"}}),
        ".headers.a: expected a string without control characters, found \"x\\r\\ny: z\"",
    );
    check(
        json!({"auth": {"token": "x"}}),
        ".auth: expected the name of one of the job's credentials (secrets stay with the host), found an object",
    );
    check(
        json!({"json": {"a": ["{b}"]}}),
        ".json.a[0]: unknown placeholder {b}: expected the name of a parameter (in a path), incremental.start_value or resources.<parent>.<field>; write {{ and }} for braces that are meant",
    );
    check(
        json!({"response_actions": [{"status_code": 404}]}),
        ".response_actions[0].action: expected \"ignore\", \"retry\" or \"raise\", found nothing",
    );
    check(
        json!({"response_actions": [{"action": "ignore"}]}),
        ".response_actions[0]: expected a status_code, a content or both",
    );
    check(
        json!({"data_selector": "a..b"}),
        ".data_selector: expected a path such as a.b, $['a b'] or items[*].id, found \"a..b\": \"..\" is not supported: name the keys between",
    );
}

#[test]
fn knows_parents() {
    let check = |value: Value, include: &[&str], parent: &str| {
        let include: Vec<String> = include.iter().map(|key| (*key).to_owned()).collect();
        let (endpoint, _) = Endpoint::parse(&value, "endpoint", "items", &include).unwrap();
        let found = endpoint.parent.map(|parent| {
            let fields: Vec<&str> = parent.fields.iter().map(Path::as_str).collect();
            format!("{} {} +{}", parent.resource, fields.join(","), parent.include.join(","))
        });
        assert_eq!(found.as_deref().unwrap_or_default(), parent, "{value}");
    };
    check(json!({"path": "a/b"}), &[], "");
    check(json!({"path": "a/{resources.posts.id}/b"}), &["title"], "posts id +title");
    check(
        json!({
            "path": "a/{resources.posts.id}/{ resources.posts.user['a b'][0] }",
            "params": {"x": "{resources.posts.n}", "y": ["{resources.posts.id}"]},
            "json": {"deep": [{"z": "{resources.posts.z}"}]},
            "headers": {"x-h": "{resources.posts.h}"},
        }),
        &[],
        "posts id,user['a b'][0],n,z,h +",
    );
    check(
        json!({"path": "a/{id}", "params": {"id": {"type": "resolve", "resource": "p", "field": "x.y"}}}),
        &[],
        "p x.y +",
    );
    let fault = Endpoint::parse(&json!({}), "endpoint", "items", &["id".to_owned()]).unwrap_err();
    assert_eq!(
        fault.to_string(),
        "endpoint: include_from_parent names fields of a parent, but no {resources.<parent>.<field>} says which"
    );
}

#[test]
fn rules_match_by_status_and_content() {
    let check = |status: Option<u16>, content: Option<&str>, found: (u16, &str), ignored: bool| {
        let content = content.map(str::to_owned);
        let it = ResponseRule { status, content, action: ResponseAction::Ignore };
        assert_eq!(it.matches(found.0, found.1), ignored);
    };
    check(Some(404), None, (404, "x"), true);
    check(Some(404), None, (403, "x"), false);
    check(None, Some("gone"), (200, "it is gone"), true);
    check(Some(404), Some("gone"), (404, "it is here"), false);
    check(Some(404), Some("gone"), (404, "it is gone"), true);
}
