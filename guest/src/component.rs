//! The component: conversions between the interface's types and the library's, and nothing else.

#![expect(unsafe_code, reason = "the bindings export functions of the canonical ABI")]

use std::cell::RefCell;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::fault::{Fault, FaultKind};
use crate::load::{approved, logs, status};
use crate::{doctor, load, protocol};

wit_bindgen::generate!({ path: "../wit", world: "loader" });

use exports::snowcat::loader::loads as wit;

struct Component;

export!(Component);

impl wit::Guest for Component {
    type Load = ComponentLoad;
}

struct ComponentLoad(protocol::Load);

thread_local! {
    /// The message of the last panic. A trap has no message and ends the instance, so no later call
    /// can return it; it is stored for a debugger.
    static PANIC: RefCell<String> = const { RefCell::new(String::new()) };
}

impl wit::GuestLoad for ComponentLoad {
    fn start(job: String, now: String) -> Result<wit::Load, wit::Fault> {
        begun(|| load::start(&job, &now))
    }

    fn start_within(job: String, policy: String, now: String) -> Result<wit::Load, wit::Fault> {
        begun(|| load::start_within(&job, &policy, &now))
    }

    fn start_approved(table: String, name: String) -> Result<wit::Load, wit::Fault> {
        begun(|| approved::start(&table, &name))
    }

    fn start_doctor(options: String, now: String) -> Result<wit::Load, wit::Fault> {
        begun(|| doctor::start(&options, &now))
    }

    fn start_status(job: String, every: bool, now: String) -> Result<wit::Load, wit::Fault> {
        begun(|| status::start(&job, every, &now))
    }

    fn start_logs(options: String) -> Result<wit::Load, wit::Fault> {
        begun(|| logs::start(&options))
    }

    fn resume(&self, reply: wit::Reply) -> Result<wit::Step, wit::Fault> {
        self.0.resume(reply.into()).map(Into::into).map_err(Into::into)
    }

    fn payload(&self) -> Result<Vec<u8>, wit::Fault> {
        Ok(self.0.payload()?.to_vec())
    }

    fn payload_base64(&self) -> Result<String, wit::Fault> {
        Ok(STANDARD.encode(self.0.payload()?.as_slice()))
    }
}

fn begun(
    start: impl FnOnce() -> crate::fault::Result<protocol::Load>,
) -> Result<wit::Load, wit::Fault> {
    keep_panics();
    start().map(|load| wit::Load::new(ComponentLoad(load))).map_err(Into::into)
}

fn keep_panics() {
    std::panic::set_hook(Box::new(|info| {
        PANIC.with(|slot| {
            if let Ok(mut slot) = slot.try_borrow_mut() {
                *slot = info.to_string();
            }
        });
    }));
}

impl From<Fault> for wit::Fault {
    fn from(fault: Fault) -> Self {
        let kind = match fault.kind {
            FaultKind::Config => wit::FaultKind::Config,
            FaultKind::Contract => wit::FaultKind::Contract,
            FaultKind::Data => wit::FaultKind::Data,
            FaultKind::Destination => wit::FaultKind::Destination,
            FaultKind::Internal => wit::FaultKind::Internal,
            FaultKind::Protocol => wit::FaultKind::Protocol,
            FaultKind::Source => wit::FaultKind::Source,
        };
        Self { kind, message: fault.message, context: fault.context }
    }
}

impl From<wit::Reply> for protocol::Reply {
    fn from(reply: wit::Reply) -> Self {
        match reply {
            wit::Reply::Start => Self::Start,
            wit::Reply::Outcomes(outcomes) => Self::Outcomes(
                outcomes
                    .into_iter()
                    .map(|wit::Outcome { rows, affected }| protocol::Outcome { rows, affected })
                    .collect(),
            ),
            wit::Reply::DryRun => Self::DryRun,
            wit::Reply::Responses(responses) => Self::Responses(
                responses
                    .into_iter()
                    .map(|response| match response {
                        Ok(wit::Response { status, headers, body }) => {
                            Ok(protocol::Response { status, headers, body })
                        }
                        Err(failure) => Err(failure.into()),
                    })
                    .collect(),
            ),
            wit::Reply::Page(page) => Self::Page(page),
            wit::Reply::File(wit::File { name, version }) => {
                Self::File(protocol::InputFile { name, version })
            }
            wit::Reply::Columns(columns) => {
                Self::Columns(columns.into_iter().map(Into::into).collect())
            }
            wit::Reply::End => Self::End,
            wit::Reply::Done => Self::Done,
            wit::Reply::Failed(failure) => Self::Failed(failure.into()),
        }
    }
}

impl From<wit::Column> for protocol::InputColumn {
    fn from(column: wit::Column) -> Self {
        let wit::Column { name, native, kind, precision, scale, nullable } = column;
        Self { name, native, kind, precision, scale, nullable }
    }
}

impl From<wit::Failure> for protocol::Failure {
    fn from(wit::Failure { code, message, transient }: wit::Failure) -> Self {
        Self { code, message, transient }
    }
}

impl From<protocol::Step> for wit::Step {
    fn from(step: protocol::Step) -> Self {
        match step {
            protocol::Step::Sql(protocol::Script { statements, any_order }) => {
                let order = if any_order { wit::Order::Any } else { wit::Order::Serial };
                Self::Sql(wit::Script { statements, order })
            }
            protocol::Step::Fetch(requests) => {
                let requests = requests.into_iter().map(Into::into).collect();
                Self::Fetch(wit::Fetches { requests })
            }
            protocol::Step::Pull(protocol::Pull { resource, files, content, skip, encoding }) => {
                let content = match content {
                    protocol::Content::Values => wit::Content::Values,
                    protocol::Content::Text => wit::Content::Text,
                    protocol::Content::Parquet => wit::Content::Parquet,
                    protocol::Content::Arrow => wit::Content::Arrow,
                    protocol::Content::Cells => wit::Content::Cells,
                };
                Self::Pull(wit::Pull { resource, files, content, skip, encoding })
            }
            protocol::Step::Upload(protocol::Upload { stage, path, size }) => {
                Self::Upload(wit::Upload { stage, path, size })
            }
            protocol::Step::Wait(protocol::Pause { seconds, reason }) => {
                Self::Wait(wit::Pause { seconds, reason })
            }
            protocol::Step::Finished(report) => Self::Finished(report.into()),
            protocol::Step::Examined(examination) => Self::Examined(examination.into()),
            protocol::Step::Found(job) => Self::Found(wit::ApprovedJob { job }),
            protocol::Step::Listed(listings) => Self::Listed(listings.into()),
        }
    }
}

impl From<protocol::Request> for wit::Request {
    fn from(request: protocol::Request) -> Self {
        let protocol::Request { resource, parent, method, url, headers, auth, body } = request;
        Self { resource, parent, method, url, headers, auth, body }
    }
}

impl From<protocol::Examination> for wit::Examination {
    fn from(protocol::Examination { checks, statements }: protocol::Examination) -> Self {
        let checks = checks.into_iter();
        let checks = checks.map(|protocol::Check { name, verdict, assumed, seen, remedy }| {
            let verdict = match verdict {
                protocol::Verdict::Holds => wit::Verdict::Holds,
                protocol::Verdict::Fails => wit::Verdict::Fails,
                protocol::Verdict::Untried => wit::Verdict::Untried,
            };
            wit::Check { name, verdict, assumed, seen, remedy }
        });
        Self { checks: checks.collect(), statements }
    }
}

impl From<protocol::Listings> for wit::Listings {
    fn from(protocol::Listings { listings, statements }: protocol::Listings) -> Self {
        let listings = listings.into_iter();
        let listings = listings.map(|protocol::Listing { name, columns, rows }| wit::Listing {
            name,
            columns,
            rows,
        });
        Self { listings: listings.collect(), statements }
    }
}

impl From<protocol::Report> for wit::Report {
    fn from(report: protocol::Report) -> Self {
        let tables = report.tables.into_iter();
        let files = report.files.into_iter();
        let cursors = report.cursors.into_iter();
        Self {
            load_id: report.load_id,
            pipeline: report.pipeline,
            database: report.database,
            dataset: report.dataset,
            tables: tables
                .map(|protocol::TableReport { name, resource, rows }| wit::TableReport {
                    name,
                    resource,
                    rows,
                })
                .collect(),
            files: files
                .map(|protocol::FileReport { path, table, rows, bytes }| wit::FileReport {
                    path,
                    table,
                    rows,
                    bytes,
                })
                .collect(),
            cursors: cursors
                .map(|protocol::CursorReport { resource, path, start, last }| wit::CursorReport {
                    resource,
                    path,
                    start,
                    last,
                })
                .collect(),
            statements: report.statements,
            requests: report.requests,
            pages: report.pages,
            state: report.state,
            warnings: report.warnings,
        }
    }
}
