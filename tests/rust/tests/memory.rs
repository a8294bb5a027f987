//! A gigabyte of pages through the component in the Rust host: the memory of both does not grow
//! after the first half. `make memory` runs the test and prints the numbers; `make test` does not.
//! Also pages of tens of megabytes of small values: besides the page, the component needs the
//! memory of one batch.

#![expect(clippy::unwrap_used, reason = "this is a test")]
#![expect(clippy::print_stdout, reason = "it shows what it measures")]

use std::fs;
use std::io::{self, Read};
use std::sync::Arc;

use serde_json::{Value, json};
use snowcat_host::input::files::Input;
use snowcat_host::{
    Content, Engine, Error, Failure, Guest, Host, Pull, Pulled, Reply, Request, Response, Run,
    Runner, Script, Settings, SqlReply, Step, Upload, drive,
};
use snowcat_tests::generators::Kind;

/// The size of all pages in bytes.
const INPUT: usize = 1 << 30;
/// The number of bytes after which memory is measured.
const EVERY: usize = 128 << 20;
/// The size of the distinct records in bytes, which are repeated.
const SAMPLE: usize = 16 << 20;
/// The size of a page in bytes.
const PAGE: usize = 4 << 20;
/// The maximum growth of the component's memory in the second half, which ends once the last small
/// table has been full, and the maximum size.
const LINEAR_MORE: usize = 16 << 20;
const LINEAR_MOST: usize = 256 << 20;
/// The maximum growth of the process: allocators and threads of the host vary.
const RESIDENT_MORE: usize = 64 << 20;

#[test]
#[ignore = "reads a gigabyte three times: `make memory`"]
fn memory_stays_flat() {
    let engine = Engine::new(&Settings::default()).unwrap();
    let records = records();
    let check = |name: &str, resource: Value, warehouse: &mut Source| {
        let mut job = json!({"pipeline": "p", "database": "DB", "dataset": "d"});
        job["client"] = json!({"base_url": "https://api.example.com/"});
        job["resources"] = json!([resource]);
        let run = Runner::new(&engine).start(&job.to_string(), "2026-11-20T00:00:00Z").unwrap();
        let mut watched = Watched { run, read: 0, found: Vec::new() };
        let report = drive(&mut watched, warehouse, &mut []).unwrap();
        let rows: u64 = report.tables.iter().map(|table| table.rows).sum();
        let mib = |bytes: usize| bytes >> 20;
        let of = |memory: fn(&Memory) -> usize| {
            let found: Vec<String> =
                watched.found.iter().map(|found| mib(memory(found)).to_string()).collect();
            found.join(" ")
        };
        println!(
            "{name}: {} MiB in {} pages, {rows} rows of {} tables. Every {} MiB, in MiB: memory of the component {}; \
             of the process {}",
            mib(watched.read),
            report.pages.max(report.requests),
            report.tables.len(),
            mib(EVERY),
            of(|memory| memory.linear),
            of(|memory| memory.resident),
        );
        let [.., last] = watched.found.as_slice() else { panic!("{name}: nothing was read") };
        let half = &watched.found[watched.found.len() / 2];
        assert!(watched.read >= INPUT, "{name}");
        assert!(rows > 100_000, "{name}");
        assert!(last.linear <= half.linear + LINEAR_MORE, "{name}");
        assert!(last.linear <= LINEAR_MOST, "{name}");
        assert!(last.resident <= half.resident + RESIDENT_MORE, "{name}");
    };
    // Complete values, as a program passes them.
    check(
        "values",
        json!({"name": "issues", "source": "pull", "primary_key": "id"}),
        &mut Source::of(&records, Input::of_pages(pages(&records, "\n"))),
    );
    // The text of one array, which the load splits.
    check(
        "one array",
        json!({"name": "issues", "source": "pull", "format": "json"}),
        &mut Source::of(&records, Input::of_reader(Array::of(&records))),
    );
    // An API, page by page.
    check(
        "pages of an API",
        json!({"name": "issues", "endpoint": {"path": "issues", "data_selector": "issues", "paginator": {
            "type": "json_link", "next_url_path": "next"}}}),
        &mut Source::of(&records, Input::of_reader(io::empty())),
    );
}

/// Small values that need many times their size in memory.
const SMALL: [&str; 5] = ["[]", "[1,1]", "{\"id\":1}", "{}", "1"];
/// The memory besides a large page: a batch, waiting files, and the reserve of vectors.
const BESIDE: usize = 128 << 20;
/// The maximum size of a file: the next one begins soon after `FILE_BYTES`, and a host copies it as
/// a whole.
const LARGEST_FILE: u64 = 64 << 20;

#[test]
fn a_large_page_is_loaded_in_batches() {
    large_pages(&SMALL[..2], &|_| 12 << 20);
}

#[test]
#[ignore = "takes minutes: `make memory`"]
fn the_largest_pages_are_loaded_in_batches() {
    large_pages(&SMALL, &|value| if value.len() > 3 { 99 << 20 } else { 60 << 20 });
}

/// Loads a page of each of the small values, of the size that `size` returns.
fn large_pages(values: &[&str], size: &dyn Fn(&str) -> usize) {
    let engine = Engine::new(&Settings::default()).unwrap();
    for &value in values {
        let size = size(value);
        let page = format!("[{}{value}]", format!("{value},").repeat(size / (value.len() + 1)));
        let rows = page.len() / (value.len() + 1);
        let job = json!({"pipeline": "p", "database": "DB", "dataset": "d",
            "resources": [{"name": "r", "source": "pull"}]});
        let run = Runner::new(&engine).start(&job.to_string(), "2026-11-20T00:00:00Z").unwrap();
        let mut watched = Watched { run, read: 0, found: Vec::new() };
        let input = Input::of_pages(std::iter::once(Ok(page)));
        let mut source = Source { input, pages: Box::new(std::iter::empty()) };
        let report = drive(&mut watched, &mut source, &mut []).unwrap();
        let linear = watched.run.peak_memory();
        let largest = report.files.iter().map(|file| file.bytes).max().unwrap();
        println!(
            "{} MiB of {value}: {rows} rows in {} files, the largest of {} MiB; memory of the component {} MiB",
            size >> 20,
            report.files.len(),
            largest >> 20,
            linear >> 20
        );
        assert!(report.tables[0].rows as usize >= rows, "{value}");
        assert!(linear <= size * 2 + BESIDE, "{value}: {linear}");
        assert!(largest <= LARGEST_FILE, "{value}: {largest}");
    }
}

/// Records on one line each, without commas.
fn records() -> Arc<Vec<String>> {
    let mut records = Vec::new();
    let mut bytes = 0;
    while bytes < SAMPLE {
        let record = Kind::Jira.record(1, records.len() as u64).to_string();
        bytes += record.len();
        records.push(record);
    }
    Arc::new(records)
}

/// All records in pages, with a separator between two of them.
fn pages(
    records: &Arc<Vec<String>>,
    between: &'static str,
) -> impl Iterator<Item = io::Result<String>> + Send + use<> {
    let records = Arc::clone(records);
    let (mut next, mut read) = (0, 0);
    std::iter::from_fn(move || {
        if read >= INPUT {
            return None;
        }
        let mut page = String::with_capacity(PAGE + (PAGE >> 3));
        while page.len() < PAGE {
            if !page.is_empty() {
                page.push_str(between);
            }
            page.push_str(records.get(next % records.len())?);
            next += 1;
        }
        read += page.len();
        Some(Ok(page))
    })
}

/// An array of all records, never in memory as a whole.
struct Array<I> {
    pages: I,
    page: Vec<u8>,
    at: usize,
    begun: bool,
    ended: bool,
}

impl Array<()> {
    fn of(records: &Arc<Vec<String>>) -> Array<impl Iterator<Item = io::Result<String>> + use<>> {
        Array { pages: pages(records, ","), page: Vec::new(), at: 0, begun: false, ended: false }
    }
}

impl<I: Iterator<Item = io::Result<String>>> Read for Array<I> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if self.at >= self.page.len() && !self.ended {
            let sign = if self.begun { "," } else { "[" };
            self.begun = true;
            self.at = 0;
            self.page = match self.pages.next().transpose()? {
                Some(page) => [sign, &page].concat().into_bytes(),
                None => {
                    self.ended = true;
                    b"]".to_vec()
                }
            };
        }
        let mut rest = self.page.get(self.at..).unwrap_or_default();
        let read = rest.read(into)?;
        self.at += read;
        Ok(read)
    }
}

/// A host with input, which keeps nothing.
struct Source {
    input: Input,
    pages: Box<dyn Iterator<Item = String>>,
}

impl Source {
    fn of(records: &Arc<Vec<String>>, input: Input) -> Self {
        let page = |(number, page): (usize, io::Result<String>)| {
            let issues = page.unwrap();
            format!("{{\"next\": \"/issues?page={}\", \"issues\": [{issues}]}}", number + 1)
        };
        Self { input, pages: Box::new(pages(records, ",").enumerate().map(page)) }
    }
}

impl Host for Source {
    fn sql(&mut self, _: &Script) -> Result<SqlReply, Failure> {
        Ok(SqlReply::DryRun)
    }

    fn upload(&mut self, _: &Upload, _: Vec<u8>) -> Result<(), Failure> {
        Ok(())
    }

    fn fetch(&mut self, requests: &[Request]) -> Vec<Result<Response, Failure>> {
        let mut answer = || {
            let last = || "{\"next\": null, \"issues\": []}".to_owned();
            let body = self.pages.next().unwrap_or_else(last);
            let headers = vec![("content-type".to_owned(), "application/json".to_owned())];
            Ok(Response { status: 200, headers, body })
        };
        requests.iter().map(|_| answer()).collect()
    }

    fn pull(&mut self, pull: &Pull) -> Result<Pulled, Failure> {
        assert!(matches!(pull.content, Content::Text | Content::Values));
        Ok(self.input.pull(pull).unwrap())
    }

    fn wait(&mut self, _: f64, _: &str) {}
}

/// A load whose memory is measured.
struct Watched {
    run: Run,
    read: usize,
    found: Vec<Memory>,
}

/// Bytes of memory.
#[derive(Clone, Copy)]
struct Memory {
    linear: usize,
    resident: usize,
}

impl Watched {
    fn now(&self) -> Memory {
        let status = fs::read_to_string("/proc/self/status").unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        let kilobytes: usize = line.trim().trim_end_matches(" kB").parse().unwrap();
        Memory { linear: self.run.peak_memory(), resident: kilobytes << 10 }
    }
}

impl Guest for Watched {
    fn resume(&mut self, reply: &Reply) -> Result<Step, Error> {
        let step = self.run.resume(reply)?;
        self.read += match reply {
            Reply::Page(page) => page.len(),
            Reply::Responses(responses) => {
                responses.iter().flatten().map(|response| response.body.len()).sum()
            }
            _ => 0,
        };
        if self.read / EVERY > self.found.len() {
            self.found.push(self.now());
        }
        Ok(step)
    }

    fn payload(&mut self) -> Result<Vec<u8>, Error> {
        self.run.payload()
    }
}
