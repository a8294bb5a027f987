//! Uploads of a load in the background: when a failure is reported, and how often a PUT is sent.

use std::thread;
use std::time::{Duration, Instant};

use serde_json::json;
use snowcat_host::snowflake::{Session, Snowflake};
use snowcat_host::{DryRun, Host, Order, Script, Upload};

use super::service::{Does, QUERY, Sent, Service};

const STAGE: &str = r#""D"."S"."T""#;

/// A service whose stage is a bucket on it that refuses files with `bad` in their path.
fn service() -> Service {
    let answers = |sent: &Sent| {
        let statement = sent.body["sqlText"].as_str();
        if sent.path.starts_with("/bucket/") {
            let status = if sent.path.contains("bad") { 403 } else { 200 };
            return Some(Does::SaysWith(status, Vec::new(), Vec::new()));
        }
        if statement?.starts_with("PUT ") {
            let info = json!({
                "locationType": "S3", "location": "bucket/1.5", "region": "us-east-1",
                "endPoint": format!("http://{}", sent.header("host")),
                "creds": {"AWS_KEY_ID": "k", "AWS_SECRET_KEY": "s"},
            });
            return Some(Does::gives(json!({"command": "UPLOAD", "stageInfo": info})));
        }
        Some(Does::row("x"))
    };
    Service::answering(&[], Box::new(answers))
}

fn upload(host: &mut impl Host, path: &str) -> Result<(), String> {
    let upload = Upload { stage: STAGE.to_owned(), path: path.to_owned(), size: 1 };
    host.upload(&upload, vec![7]).map_err(|failure| failure.message)
}

fn sql(host: &mut impl Host, statement: &str) -> Result<(), String> {
    let script = Script { statements: vec![statement.to_owned()], order: Order::Serial };
    host.sql(&script).map(drop).map_err(|failure| failure.message)
}

fn statements(service: &Service) -> Vec<String> {
    let text = |sent: &Sent| sent.body["sqlText"].as_str().unwrap().to_owned();
    service.sent(QUERY).iter().map(text).collect()
}

const FAILED: &str =
    r#"uploading 1.5/t/bad.parquet to @"D"."S"."T": writing the file: the server said 403"#;

#[test]
fn a_failed_upload_fails_the_next_statement_before_it_is_sent() {
    let service = service();
    let mut host = Snowflake::new(Session::open(&service.connection()).unwrap(), DryRun::new());
    assert_eq!(upload(&mut host, "1.5/t/bad.parquet"), Ok(()));
    assert_eq!(sql(&mut host, "COPY"), Err(FAILED.to_owned()));
    // The load then ends its transaction and drops its stage.
    assert_eq!(sql(&mut host, "ROLLBACK"), Ok(()));
    let put = r#"PUT 'file:///snowcat/bad.parquet' '@"D"."S"."T"/1.5' AUTO_COMPRESS=FALSE OVERWRITE=TRUE"#;
    assert_eq!(statements(&service), [put, "ROLLBACK"]);
}

#[test]
fn a_failed_upload_fails_a_later_upload() {
    let service = service();
    let mut host = Snowflake::new(Session::open(&service.connection()).unwrap(), DryRun::new());
    upload(&mut host, "1.5/t/bad.parquet").unwrap();
    let until = Instant::now() + Duration::from_secs(10);
    let failure = loop {
        if let Err(failure) = upload(&mut host, "1.5/t/good.parquet") {
            break failure;
        }
        assert!(Instant::now() < until, "expected a failure");
        thread::sleep(Duration::from_millis(5));
    };
    assert_eq!(failure, FAILED);
    assert_eq!(sql(&mut host, "ROLLBACK"), Ok(()));
}

#[test]
fn a_load_has_one_put() {
    let service = service();
    let mut host = Snowflake::new(Session::open(&service.connection()).unwrap(), DryRun::new());
    for number in 0..100 {
        upload(&mut host, &format!("1.5/{}/{number}.parquet", number % 7)).unwrap();
    }
    sql(&mut host, "COPY").unwrap();
    let sent = service.all_sent();
    let files = sent.iter().filter(|sent| sent.path.starts_with("/bucket/1.5/")).count();
    let statements = statements(&service);
    assert_eq!((files, statements.len(), statements[1].as_str()), (100, 2, "COPY"));
}
