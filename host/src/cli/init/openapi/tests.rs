//! Descriptions, and what is made of them.

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
                "write_disposition": "replace",
                "endpoint": {"path": "orders/{resources.orders.id}/notes", "data_selector": "$",
                    "paginator": "header_link"},
            }),
        ]
    );
    assert_eq!(api.skipped, ["/a/{x}/b: no list is known that tells its x"]);
    assert_eq!(read(&shop(), &["/orders".to_owned()]).resources.len(), 1);
}

#[test]
fn names_are_made_of_paths() {
    let check = |path: &str, taken: &[&str], name: &str| {
        assert_eq!(name_of(path, taken.iter().copied()), name, "{path}");
    };
    check("/v1/users", &[], "users");
    check("/teams/{id}/users", &["users"], "teams_users");
    check("/teams/{id}/users", &["Users", "teams_users"], "teams_users_2");
    check("/", &[], "items");
    check("/rest/odd-names.json", &[], "odd_names");
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
