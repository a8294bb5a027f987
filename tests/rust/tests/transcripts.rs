//! The same job and the same replies result in the same run, byte by byte: as a component under the
//! Rust host, as a library, and (in `tests/python/test_transcripts.py`, which records them) under
//! the Python host. Uploaded files are compared by their digests, which are part of a transcript.
//!
//! `TRANSCRIPT=first_load cargo test --test transcripts` repeats one recorded run.

#![expect(clippy::unwrap_used, reason = "this is a test")]

use std::path::Path;
use std::{env, fs};

use snowcat_guest::fault::{Fault, FaultKind};
use snowcat_guest::{load, protocol};
use snowcat_host as host;
use snowcat_host::transcript::{self, Transcript};
use snowcat_host::{Engine, Error, Guest, Replay, Runner, Settings, drive};

#[test]
fn the_component_repeats_the_recorded_steps() {
    let engine = Engine::new(&Settings::default()).unwrap();
    let runner = Runner::new(&engine);
    each(|job, now, recorded| {
        let mut replay = Replay::new(recorded).unwrap();
        let mut said = Transcript::new(Vec::new());
        // A run that was recorded up to a fault ends with the same fault.
        let _ended = runner.run_observed(job, now, &mut replay, &mut [&mut said]);
        (said.into_inner(), replay.finish())
    });
}

#[test]
fn the_library_repeats_the_recorded_steps() {
    each(|job, now, recorded| {
        let mut replay = Replay::new(recorded).unwrap();
        let mut said = Transcript::new(Vec::new());
        let mut library = Library(load::start(job, now).unwrap());
        let _ended = drive(&mut library, &mut replay, &mut [&mut said]);
        (said.into_inner(), replay.finish())
    });
}

/// Repeats every recorded job, or the one that `TRANSCRIPT` names. `run` returns the new transcript, and
/// the first step that differs.
fn each(run: impl Fn(&str, &str, &str) -> (Vec<u8>, Result<(), Error>)) {
    let folder = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../data/transcripts"));
    let only = env::var_os("TRANSCRIPT");
    let mut runs = 0;
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if only.as_ref().is_some_and(|name| path.file_name() != Some(name)) {
            continue;
        }
        let read = |name: &str| fs::read_to_string(path.join(name)).unwrap();
        let recorded = read("transcript.jsonl");
        let (said, ended) = run(&read("job.json"), read("now.txt").trim(), &recorded);
        assert!(ended.is_ok(), "{}: {}", path.display(), ended.unwrap_err());
        let said = String::from_utf8(said).unwrap();
        for (number, (said, recorded)) in said.lines().zip(recorded.lines()).enumerate() {
            assert_eq!(said, recorded, "{}: line {}", path.display(), number + 1);
        }
        assert_eq!(said.len(), recorded.len(), "{}", path.display());
        runs += 1;
    }
    let expect = if only.is_some() { 1 } else { 3 };
    assert!(
        runs >= expect,
        "expected at least {expect} recorded runs, found {runs}: TRANSCRIPT={only:?}"
    );
}

/// The library, driven like the component.
struct Library(protocol::Load);

impl Guest for Library {
    fn resume(&mut self, reply: &host::Reply) -> Result<host::Step, Error> {
        self.0.resume(reply_of(reply)).map(step_of).map_err(fault_of)
    }

    fn payload(&mut self) -> Result<Vec<u8>, Error> {
        self.0.payload().map(|bytes| bytes.to_vec()).map_err(fault_of)
    }
}

fn fault_of(fault: Fault) -> Error {
    let kind = match fault.kind {
        FaultKind::Config => host::FaultKind::Config,
        FaultKind::Contract => host::FaultKind::Contract,
        FaultKind::Data => host::FaultKind::Data,
        FaultKind::Destination => host::FaultKind::Destination,
        FaultKind::Internal => host::FaultKind::Internal,
        FaultKind::Protocol => host::FaultKind::Protocol,
        FaultKind::Source => host::FaultKind::Source,
    };
    Error::Fault(host::Fault { kind, message: fault.message, context: fault.context })
}

fn failure_of(failure: &host::Failure) -> protocol::Failure {
    let host::Failure { code, message, transient } = failure.clone();
    protocol::Failure { code, message, transient }
}

fn reply_of(reply: &host::Reply) -> protocol::Reply {
    match reply {
        host::Reply::Start => protocol::Reply::Start,
        host::Reply::Outcomes(outcomes) => protocol::Reply::Outcomes(
            outcomes
                .iter()
                .map(|o| protocol::Outcome { rows: o.rows.clone(), affected: o.affected })
                .collect(),
        ),
        host::Reply::DryRun => protocol::Reply::DryRun,
        host::Reply::Responses(responses) => protocol::Reply::Responses(
            responses
                .iter()
                .map(|response| match response {
                    Ok(r) => Ok(protocol::Response {
                        status: r.status,
                        headers: r.headers.clone(),
                        body: r.body.clone(),
                    }),
                    Err(failure) => Err(failure_of(failure)),
                })
                .collect(),
        ),
        host::Reply::Page(page) => protocol::Reply::Page(page.clone()),
        host::Reply::File(file) => protocol::Reply::File(protocol::InputFile {
            name: file.name.clone(),
            version: file.version.clone(),
        }),
        host::Reply::Columns(columns) => {
            let column = |column: &host::Column| protocol::InputColumn {
                name: column.name.clone(),
                native: column.native.clone(),
                kind: column.kind.clone(),
                precision: column.precision,
                scale: column.scale,
                nullable: column.nullable,
            };
            protocol::Reply::Columns(columns.iter().map(column).collect())
        }
        host::Reply::End => protocol::Reply::End,
        host::Reply::Done => protocol::Reply::Done,
        host::Reply::Failed(failure) => protocol::Reply::Failed(failure_of(failure)),
    }
}

fn step_of(step: protocol::Step) -> host::Step {
    match step {
        protocol::Step::Sql(script) => host::Step::Sql(host::Script {
            statements: script.statements,
            order: if script.any_order { host::Order::Any } else { host::Order::Serial },
        }),
        protocol::Step::Fetch(requests) => host::Step::Fetch(host::Fetches {
            requests: requests
                .into_iter()
                .map(|r| host::Request {
                    resource: r.resource,
                    parent: r.parent,
                    method: r.method,
                    url: r.url,
                    headers: r.headers,
                    auth: r.auth,
                    body: r.body,
                })
                .collect(),
        }),
        protocol::Step::Pull(protocol::Pull { resource, files, content, skip, encoding }) => {
            let content = match content {
                protocol::Content::Values => host::Content::Values,
                protocol::Content::Text => host::Content::Text,
                protocol::Content::Parquet => host::Content::Parquet,
                protocol::Content::Arrow => host::Content::Arrow,
                protocol::Content::Cells => host::Content::Cells,
            };
            host::Step::Pull(host::Pull { resource, files, content, skip, encoding })
        }
        protocol::Step::Upload(u) => {
            host::Step::Upload(host::Upload { stage: u.stage, path: u.path, size: u.size })
        }
        protocol::Step::Wait(pause) => {
            host::Step::Wait(host::Pause { seconds: pause.seconds, reason: pause.reason })
        }
        protocol::Step::Finished(report) => host::Step::Finished(report_of(report)),
        protocol::Step::Examined(_) | protocol::Step::Found(_) | protocol::Step::Listed(_) => {
            unreachable!("a load does not end as an examination")
        }
    }
}

fn report_of(report: protocol::Report) -> host::Report {
    host::Report {
        load_id: report.load_id,
        pipeline: report.pipeline,
        database: report.database,
        dataset: report.dataset,
        tables: report
            .tables
            .into_iter()
            .map(|t| host::TableReport { name: t.name, resource: t.resource, rows: t.rows })
            .collect(),
        files: report
            .files
            .into_iter()
            .map(|f| host::FileReport {
                path: f.path,
                table: f.table,
                rows: f.rows,
                bytes: f.bytes,
            })
            .collect(),
        cursors: report
            .cursors
            .into_iter()
            .map(|c| host::CursorReport {
                resource: c.resource,
                path: c.path,
                start: c.start,
                last: c.last,
            })
            .collect(),
        statements: report.statements,
        requests: report.requests,
        pages: report.pages,
        state: report.state,
        warnings: report.warnings,
    }
}

#[test]
fn a_transcript_that_is_not_followed_is_noticed() {
    let engine = Engine::new(&Settings::default()).unwrap();
    let start = transcript::reply_line(&host::Reply::Start);
    let mut replay = Replay::new(&format!("{start}\n{{\"step\":\"other\"}}\n")).unwrap();
    let job = r#"{"pipeline":"p","database":"D","dataset":"d","resources":[{"name":"t"}]}"#;
    let ended = Runner::new(&engine).run(job, "2026-01-01T00:00:00Z", &mut replay);
    assert!(ended.is_err());
    assert!(replay.finish().is_err());
}
