//! The types of `wit/loads.wit` in Rust. They are generated, so that the interface is defined once;
//! their documentation is the interface's.

#![allow(trivial_numeric_casts, unused_qualifications, reason = "generated")]

wasmtime::component::bindgen!({
    path: "../wit",
    world: "loader",
    additional_derives: [PartialEq],
});

pub use exports::snowcat::loader::loads::{
    Check, Column, Content, CursorReport, Examination, Failure, Fault, FaultKind, Fetches, File,
    FileReport, Listing, Listings, Order, Outcome, Pause, Pull, Reply, Report, Request, Response,
    Script, Step, TableReport, Upload, Verdict,
};
