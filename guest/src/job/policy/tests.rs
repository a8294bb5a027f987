use serde_json::{Value, json};

use super::Policy;
use crate::job::Job;

fn policy() -> Value {
    json!({
        "schemas": ["raw.sales", "RAW.DEV_*", r#""my db"."s""#, "LAB.*"],
        "stages": ["@raw.public.landing/sales", "@RAW.PUBLIC.ALL"],
        "hosts": ["API.example.com", "localhost:8080"],
        "credentials": {
            "shop": {"type": "bearer", "hosts": ["api.shop.example", "b.shop.example"], "methods": ["GET", "POST"]},
            "graph": {
                "type": "oauth2_client_credentials", "hosts": ["login.example", "graph.example"],
                "access_token_url": "https://login.example/token",
            },
        },
    })
}

fn job(change: &Value) -> Value {
    let mut job = json!({
        "pipeline": "p", "database": "RAW", "dataset": "sales",
        "resources": [{"name": "r", "files": ["@RAW.PUBLIC.LANDING/sales/*.csv"], "format": "csv"}],
    });
    for (key, value) in change.as_object().unwrap() {
        job[key] = value.clone();
    }
    job
}

/// The result of checking a job against a policy. The job writes to the schema that it names.
fn verdict(policy: &Value, job: &Value) -> Result<(), String> {
    crate::load::start_within(&job.to_string(), &policy.to_string(), "2026-01-01T00:00:00Z")
        .map(drop)
        .map_err(|fault| fault.to_string())
}

/// `expect` is a part of the error, or empty if the job is allowed.
fn check(change: Value, expect: &str) {
    match verdict(&policy(), &job(&change)) {
        Ok(()) => assert_eq!(expect, "", "{change}"),
        Err(fault) => assert!(!expect.is_empty() && fault.contains(expect), "{change}: {fault}"),
    }
}

#[test]
fn only_listed_schemas_are_written() {
    check(json!({}), "");
    check(json!({"dataset": "SALES"}), "");
    check(json!({"dataset": "Sales!"}), "the schema RAW.SALESX is not allowed");
    check(json!({"dataset": "sales2"}), r#"whose "schemas" allows raw.sales, RAW.DEV_*, "#);
    check(json!({"dataset": "sales_staging"}), "the schema RAW.SALES_STAGING is not allowed");
    check(json!({"dataset": "dev_x"}), "");
    check(json!({"dataset": "dev", "dev_mode": true}), "");
    check(json!({"dataset": "de"}), "the schema RAW.DE is not allowed");
    check(json!({"database": "raw"}), "");
    check(json!({"database": "\"raw\""}), "the schema raw.SALES is not allowed");
    check(json!({"database": "FINANCE"}), "the schema FINANCE.SALES is not allowed");
    check(json!({"database": "\"my db\"", "dataset": "s", "naming": "sql_cs_v1"}), "");
    check(json!({"database": "lab", "dataset": "anything"}), "");
    check(json!({"database": "raw.sales", "dataset": "x"}), "is not allowed");
}

#[test]
fn only_listed_stages_are_read() {
    let files =
        |files: &[&str]| json!({"resources": [{"name": "r", "files": files, "format": "csv"}]});
    check(files(&["@RAW.PUBLIC.LANDING/sales"]), "");
    check(files(&["@raw.public.landing/sales/**"]), "");
    check(files(&["@RAW.PUBLIC.ALL"]), "");
    check(files(&["@RAW.PUBLIC.LANDING/sales2/a.csv"]), "is not allowed by the owner's policy");
    check(files(&["@RAW.PUBLIC.LANDING/sales*"]), "is not allowed by the owner's policy");
    check(files(&["@RAW.PUBLIC.LANDING/sales/../pay.csv"]), "is not allowed by the owner's policy");
    check(files(&["@RAW.PUBLIC.LANDING"]), "is not allowed by the owner's policy");
    check(files(&["@RAW.PUBLIC.ALL/x", "@FINANCE.HR.PAYROLL/**"]), "resources[0].files[1]");
    check(files(&["/etc/passwd"]), "expected a stage by its whole name");
    check(files(&["snow://package/x"]), "expected a stage by its whole name");
}

#[test]
fn only_listed_hosts_and_credentials_are_used() {
    let shop = json!({"type": "bearer", "hosts": ["api.shop.example"]});
    let asks = |base: &str, auth: Option<&str>, method: &str, credentials: Value| {
        let endpoint = json!({"path": "items", "method": method});
        json!({
            "credentials": credentials, "client": {"base_url": base, "auth": auth},
            "resources": [{"name": "r", "endpoint": endpoint}],
        })
    };
    check(asks("https://api.example.com/v1", None, "GET", json!({})), "");
    check(asks("https://api.example.com:443/v1", None, "POST", json!({})), "");
    check(asks("http://localhost:8080", None, "GET", json!({})), "");
    check(
        asks("https://evil.example", None, "GET", json!({})),
        "the host evil.example is not allowed",
    );
    check(asks("https://api.shop.example", Some("shop"), "POST", json!({"shop": shop})), "");
    let graph = json!({
        "type": "oauth2_client_credentials", "hosts": ["login.example", "graph.example"],
        "access_token_url": "https://login.example/token",
    });
    let with = |key: &str, value: Value| {
        let mut changed = graph.clone();
        changed[key] = value;
        json!({"graph": changed})
    };
    let of_graph = |credentials: Value, method: &str, expect: &str| {
        check(asks("https://graph.example", Some("graph"), method, credentials), expect);
    };
    of_graph(json!({"graph": graph}), "GET", "");
    of_graph(json!({"graph": graph}), "POST", "POST is not allowed with the credential \"graph\"");
    of_graph(with("//", json!("a comment")), "GET", "");
    of_graph(with("secret", json!(null)), "GET", "");
    of_graph(with("secret", json!("shop")), "GET", "expected the options of this credential in");
    let elsewhere = json!("https://login.example/echo");
    of_graph(
        with("access_token_url", elsewhere),
        "GET",
        "expected the options of this credential in",
    );
    let form = json!({"comment": "x"});
    of_graph(with("access_token_request_data", form), "GET", "expected the options");
    let more = json!(["login.example", "graph.example", "evil.example"]);
    of_graph(with("hosts", more), "GET", "not allowed for the host evil.example");
    check(json!({"credentials": {"jira": shop}}), "the credential \"jira\" is not allowed");
    let key = json!({"type": "api_key", "location": "query", "hosts": ["api.shop.example"]});
    check(json!({"credentials": {"shop": key}}), "expected the options of this credential in");
}

#[test]
fn headers_that_override_the_method_are_rejected() {
    let with = |of_client: Value, own: Value| {
        json!({
            "client": {"base_url": "https://api.example.com", "headers": of_client},
            "resources": [{"name": "r", "endpoint": {"path": "items", "headers": own}}],
        })
    };
    check(with(json!({"accept": "x"}), json!({"x-page": "1"})), "");
    let delete = json!({"X-HTTP-Method-Override": "DELETE"});
    check(with(delete.clone(), json!({})), "the header x-http-method-override is not allowed");
    check(with(json!({}), delete), "the header x-http-method-override is not allowed");
}

#[test]
fn sections_absent_from_the_policy_allow_nothing() {
    let check = |policy: Value, change: Value, expect: &str| {
        let found = verdict(&policy, &job(&change));
        let fault = found.err().unwrap_or_default();
        assert!(
            fault.contains(expect) && fault.is_empty() == expect.is_empty(),
            "{policy}: {fault}"
        );
    };
    let none = json!({"credentials": {}, "resources": [{"name": "r"}]});
    check(json!({}), json!({}), "whose \"schemas\" allows nothing");
    check(json!({"schemas": ["RAW.*"]}), json!({}), "whose \"stages\" allows nothing");
    check(json!({"schemas": ["RAW.*"]}), none, "");
    check(json!({"schemas": ["RAW.*"], "sources": "any"}), json!({}), "");
    check(json!({"schemas": ["RAW"]}), json!({}), "expected a schema, DATABASE.SCHEMA");
    check(json!({"schemas": ["*"]}), json!({}), "expected a schema, DATABASE.SCHEMA");
    check(json!({"schemas": ["RAW.A/B"]}), json!({}), "expected a schema, DATABASE.SCHEMA");
    check(json!({"scemas": []}), json!({}), "did you mean \"schemas\"?");
    check(
        json!({"credentials": {"c": {"methods": ["PUT"]}}}),
        json!({}),
        "credentials.c.methods[0]",
    );
    check(json!({"credentials": {"c": 7}}), json!({}), "expected an object");
    check(json!([]), json!({}), "expected an object");
}

#[test]
fn requests_to_hosts_not_listed_are_rejected() {
    let policy = Policy::parse(&policy().to_string()).unwrap();
    let check = |url: &str, expect: bool| {
        assert_eq!(policy.check_request(url).is_ok(), expect, "{url}");
    };
    check("https://api.example.com/next?page=2", true);
    check("https://api.shop.example/next", true);
    check("https://api.example.com:8443/next", false);
    check("https://evil.example/api.example.com", false);
    check("https://api.example.com@evil.example/", false);
    check("https://api.example.com.evil.example/", false);
    check("https://evil.example\\@api.example.com/", false);
    check("no url", false);
}

#[test]
fn a_job_is_valid_without_a_policy() {
    Job::parse(&job(&json!({"database": "ANY"})).to_string()).unwrap();
}
