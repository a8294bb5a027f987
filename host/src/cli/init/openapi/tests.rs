//! Descriptions, and the jobs written from them.

use super::*;

fn shop() -> Value {
    json!({
        "openapi": "3.0.0", "info": {"title": "Shop"},
        "servers": [{"url": "https://{region}.shop.example/v1", "variables": {"region": {"default": "eu"}}}],
        "security": [{"main": []}],
        "components": {
            "securitySchemes": {
                "other": {"type": "http", "scheme": "basic"},
                "main": {"type": "oauth2", "flows": {"clientCredentials": {"tokenUrl": "https://login.shop.example/token"}}},
            },
            "schemas": {
                "Base": {"type": "object", "properties": {"id": {"type": "integer"}}},
                "Order": {"allOf": [{"$ref": "#/components/schemas/Base"}, {"type": "object", "properties": {
                    "updated_at": {"type": "string", "format": "date-time"},
                    "parent": {"$ref": "#/components/schemas/Order"},
                    "lines": {"type": "array", "items": {"$ref": "#/components/schemas/Base"}},
                }}]},
            },
        },
        "paths": {
            "/orders": {"get": {
                "summary": "All orders",
                "parameters": [
                    {"name": "offset", "in": "query"}, {"name": "limit", "in": "query", "schema": {"maximum": 250}},
                    {"name": "updated_since", "in": "query"},
                    {"name": "state", "in": "query", "required": true, "schema": {"enum": ["any", "open"]}},
                ],
                "responses": {"200": {"content": {"application/json": {"schema": {"type": "object", "properties": {
                    "total": {"type": "integer"},
                    "data": {"type": "array", "items": {"$ref": "#/components/schemas/Order"}},
                }}}}}},
            }},
            "/orders/{orderId}": {"get": {"responses": {"200": {"content": {"application/json": {
                "schema": {"$ref": "#/components/schemas/Order"}}}}}}},
            "/orders/{orderId}/notes": {"get": {"responses": {"200": {
                "headers": {"Link": {}},
                "content": {"application/json": {"schema": {"type": "array", "items": {"properties": {"text": {}}}}}},
            }}}},
            "/orders/{orderId}/one/{x}": {"get": {"responses": {"200": {"content": {"application/json": {
                "schema": {"properties": {"one": {"$ref": "#/components/schemas/Order"}}}}}}}}},
            "/a/{x}/b": {"get": {"responses": {"200": {"content": {"application/json": {
                "schema": {"type": "array", "items": {"$ref": "#/components/schemas/Base"}}}}}}}},
        },
    })
}

#[test]
fn resources_are_found() {
    let api = read(&shop(), &[]);
    assert_eq!(api.base_url, ("https://eu.shop.example/v1".to_owned(), None));
    let (name, credential) = api.credential.unwrap();
    assert_eq!((name.as_str(), &credential["type"]), ("main", &json!("oauth2_client_credentials")));
    let found: Vec<Value> = api.resources.into_iter().map(Value::Object).collect();
    assert_eq!(
        found,
        [
            json!({
                "name": "orders", "description": "All orders", "primary_key": "id",
                "write_disposition": "merge",
                "endpoint": {
                    "path": "orders", "params": {"state": "any"}, "data_selector": "data",
                    "paginator": {"type": "offset", "limit": 250, "offset_param": "offset",
                        "limit_param": "limit", "total_path": "total"},
                    "//incremental": "That the parameter means this field is a guess.",
                    "incremental": {"cursor_path": "updated_at",
                        "initial_value": "1970-01-01T00:00:00Z", "start_param": "updated_since"},
                },
            }),
            json!({
                "name": "notes",
                "//primary_key": "None was found: every load replaces the table.",
                "write_disposition": "replace", "include_from_parent": ["id"],
                "endpoint": {"path": "orders/{resources.orders.id}/notes", "data_selector": "$",
                    "paginator": "header_link"},
            }),
            json!({
                "name": "b", "primary_key": "id", "write_disposition": "merge",
                "endpoint": {"path": "a/{x}/b", "params": {"x": OPEN}, "data_selector": "$",
                    "//paginator": "The description shows no pages: the load finds the paginator in the first answer."},
            }),
        ]
    );
    assert_eq!(api.skipped, [""; 0]);
    assert_eq!(api.open, BTreeMap::from([("x".to_owned(), 1)]));
}

#[test]
fn paths_are_selected() {
    let check = |wanted: &str, names: &[&str], selected: Option<&[&str]>, skipped: &[&str]| {
        let api = read(&shop(), &[wanted.to_owned()]);
        let found: Vec<&str> =
            api.resources.iter().map(|it| it["name"].as_str().unwrap()).collect();
        assert_eq!(found, names, "{wanted}");
        let owned = |all: &[&str]| all.iter().map(|&it| it.to_owned()).collect::<Vec<_>>();
        assert_eq!((api.selected, api.skipped), (selected.map(owned), owned(skipped)), "{wanted}");
    };
    check("/orders", &["orders"], None, &[]);
    check("/orders/{orderId}/notes", &["orders", "notes"], Some(&["notes"]), &[]);
    check("/a/{x}/b", &["b"], None, &[]);
    check("/none", &[], None, &["/none: the description has no such path"]);
    check(
        "/orders/{orderId}",
        &[],
        None,
        &["/orders/{orderId}: its answer has no list of objects"],
    );
}

/// A description of one list with these properties outside of it, and these parameters.
fn lists(beside: Value, parameters: &[&str]) -> Value {
    let mut properties =
        json!({"users": {"type": "array", "items": {"properties": {"id": {}, "name": {}}}}});
    if let (Some(properties), Value::Object(beside)) = (properties.as_object_mut(), beside) {
        properties.extend(beside);
    }
    let parameters: Vec<Value> =
        parameters.iter().map(|name| json!({"name": name, "in": "query"})).collect();
    json!({"openapi": "3.0.0", "paths": {"/users": {"get": {
        "parameters": parameters,
        "responses": {"200": {"content": {"application/json": {"schema": {"properties": properties}}}}},
    }}}})
}

#[test]
fn paginators_are_found() {
    let check = |beside: Value, parameters: &[&str], expected: Value| {
        let api = read(&lists(beside, parameters), &[]);
        assert_eq!(
            api.resources[0]["endpoint"].get("paginator"),
            Some(&expected),
            "{parameters:?}"
        );
    };
    let link = |path: &str| json!({"type": "json_link", "next_url_path": path});
    check(
        json!({"next_page_uri": {"format": "uri"}, "page": {}}),
        &["PageSize", "Page", "PageToken"],
        link("next_page_uri"),
    );
    check(json!({"nextRecordsUrl": {}}), &[], link("nextRecordsUrl"));
    check(json!({"@odata.nextLink": {}}), &[], link("$['@odata.nextLink']"));
    check(json!({"next": {"format": "uri"}}), &["cursor", "page_size"], link("next"));
    check(
        json!({"links": {"properties": {"next": {"format": "uri"}}}}),
        &["page"],
        link("links.next"),
    );
    let pages = json!({"links": {"properties": {"pages": {"properties": {"next": {"example": "https://x.net/?page=2"}}}}}});
    check(pages, &["page", "page_token"], link("links.pages.next"));
    let cursor = |path: &str, param: &str| json!({"type": "cursor", "cursor_path": path, "cursor_param": param});
    check(
        json!({"next_marker": {}, "limit": {}}),
        &["marker", "limit"],
        cursor("next_marker", "marker"),
    );
    let paging =
        json!({"paging": {"properties": {"next": {"properties": {"after": {}, "link": {}}}}}});
    check(paging, &["after", "limit"], cursor("paging.next.after", "after"));
    let metadata = json!({"response_metadata": {"properties": {"next_cursor": {}}}});
    check(metadata, &["cursor", "limit"], cursor("response_metadata.next_cursor", "cursor"));
    check(
        json!({"has_more": {"type": "boolean"}, "url": {}}),
        &["ending_before", "limit", "starting_after"],
        json!({"type": "cursor", "cursor_path": "users[-1].id", "cursor_param": "starting_after",
            "has_more_path": "has_more"}),
    );
    check(
        json!({"more": {"type": "boolean"}, "offset": {}, "limit": {}}),
        &["offset", "limit"],
        json!({"type": "offset", "limit": 100, "offset_param": "offset", "limit_param": "limit",
            "total_path": null, "has_more_path": "more"}),
    );
    // Open questions of the description are reported.
    let api = read(&lists(json!({}), &["cursor"]), &[]);
    let endpoint = &api.resources[0]["endpoint"];
    assert_eq!(endpoint.get("paginator"), None);
    assert!(endpoint["//paginator"].as_str().unwrap().contains("\"cursor_param\": \"cursor\""));
    // Tokens must be requested.
    let api =
        read(&lists(json!({"next_marker": {}}), &["marker", "usemarker", "offset", "limit"]), &[]);
    assert_eq!(api.resources[0]["endpoint"]["params"], json!({"usemarker": true, "limit": 100}));
}

/// An entity with a list of items, and a list whose path ends with a value and whose page has an id
/// elsewhere.
#[test]
fn entities_with_lists_are_not_resources() {
    let check = |beside: Value, expected: &[&str]| {
        let mut properties =
            json!({"items": {"type": "array", "items": {"properties": {"a": {}}}}});
        properties.as_object_mut().unwrap().extend(beside.as_object().unwrap().clone());
        let api = read(
            &json!({"openapi": "3.0.0", "paths": {"/orders/{kind}": {"get": {"responses": {"200": {
                "content": {"application/json": {"schema": {"properties": properties}}}}}}}}}),
            &[],
        );
        let found: Vec<&str> =
            api.resources.iter().map(|it| it["name"].as_str().unwrap()).collect();
        assert_eq!(found, expected, "{beside}");
    };
    check(json!({"id": {}}), &[]);
    check(json!({"page": {"properties": {"id": {}}}}), &["orders"]);
}

/// The child resources of a list whose path ends with the format of its responses.
#[test]
fn children_of_files_are_found() {
    let list = |name: &str| {
        json!({"get": {"responses": {"200": {"content": {"application/json": {"schema": {
        "properties": {name: {"type": "array", "items": {"properties": {"sid": {}}}}}}}}}}}})
    };
    let api = read(
        &json!({"openapi": "3.0.0", "paths": {
            "/Accounts.json": list("accounts"),
            "/Accounts/{AccountSid}/Calls.json": list("calls"),
            "/Accounts/{AccountSid}/Calls/{CallSid}/Events.json": list("events"),
        }}),
        &[],
    );
    let found: Vec<_> = api
        .resources
        .iter()
        .map(|it| (it["primary_key"].clone(), it["endpoint"]["path"].as_str().unwrap()))
        .collect();
    assert_eq!(
        found,
        [
            (json!("sid"), "Accounts.json"),
            (json!(["_Accounts_sid", "sid"]), "Accounts/{resources.Accounts.sid}/Calls.json"),
            (
                json!(["_Calls__Accounts_sid", "_Calls_sid", "sid"]),
                "Accounts/{resources.Calls._Accounts_sid}/Calls/{resources.Calls.sid}/Events.json"
            ),
        ]
    );
}

#[test]
fn credentials_are_not_parameters() {
    let mut document = lists(json!({}), &[]);
    document["paths"]["/users"]["get"]["parameters"] = json!([
        {"name": "token", "in": "query", "required": true}, {"name": "team", "in": "query", "required": true},
    ]);
    let params = |document: &Value| read(document, &[]).resources[0]["endpoint"]["params"].clone();
    assert_eq!(params(&document), json!({"team": OPEN}));
    // It is the credential if the description has no other.
    let (name, credential) = read(&document, &[]).credential.unwrap();
    let expected = json!({"type": "api_key", "name": "token", "location": "query"});
    assert_eq!((name.as_str(), Value::from(credential)), ("api", expected));
    document["components"] =
        json!({"securitySchemes": {"a": {"type": "http", "scheme": "bearer"}}});
    assert_eq!(params(&document), json!({"team": OPEN}));
    assert_eq!(read(&document, &[]).credential.unwrap().1["type"], "bearer");
    document["components"] =
        json!({"securitySchemes": {"a": {"type": "apiKey", "name": "team", "in": "query"}}});
    assert_eq!(read(&document, &[]).resources[0]["endpoint"].get("params"), None);
}

#[test]
fn swagger_2_is_read() {
    let api = read(
        &json!({
            "swagger": "2.0", "host": "pets.example", "basePath": "/v2", "schemes": ["http", "https"],
            "securityDefinitions": {"key": {"type": "apiKey", "name": "X-Key", "in": "header"}},
            "definitions": {"Pet": {"properties": {"petId": {}, "name": {}}}},
            "paths": {"/pets": {"parameters": [{"name": "page", "in": "query", "minimum": 0}], "get": {
                "responses": {"200": {"schema": {"type": "array", "items": {"$ref": "#/definitions/Pet"}}}}}}},
        }),
        &[],
    );
    assert_eq!(api.base_url.0, "https://pets.example/v2");
    assert_eq!(
        Value::from(api.credential.unwrap().1),
        json!({"type": "api_key", "name": "X-Key", "location": "header"})
    );
    let pets = &api.resources[0];
    assert_eq!(pets["primary_key"], "petId");
    assert_eq!(
        pets["endpoint"]["paginator"],
        json!({"type": "page_number", "base_page": 0, "page_param": "page", "total_path": null})
    );
}
