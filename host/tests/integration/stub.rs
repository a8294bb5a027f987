//! Components of a few instructions, for tests of misbehaving components.

use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::Resolve;

/// A component that exports the interface. `resume` is the body of its `resume`, in the text
/// format, which returns the address of a `result<step, fault>`. Memory from 1024 on is free to
/// build one in. There are two texts: `stage` at 64 (5 bytes) and `1/a` at 72 (3 bytes). Every
/// `payload` is the former.
pub(crate) fn component(resume: &str) -> Vec<u8> {
    let module = format!(
        r#"(module
            (import "[export]snowcat:loader/loads@0.1.0" "[resource-new]load"
                (func $new (param i32) (result i32)))
            (memory (export "memory") 1)
            (data (i32.const 64) "stage\00\00\001/a")
            (global $next (mut i32) (i32.const 4096))
            (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32)
                (local $at i32)
                (local.set $at (i32.and (i32.add (global.get $next) (i32.const 15)) (i32.const -16)))
                (global.set $next (i32.add (local.get $at) (local.get 3)))
                (local.get $at))
            (func $start (export "snowcat:loader/loads@0.1.0#[static]load.start")
                (param i32 i32 i32 i32) (result i32)
                (i32.store8 (i32.const 16) (i32.const 0))
                (i32.store (i32.const 20) (call $new (i32.const 1)))
                (i32.const 16))
            (func (export "snowcat:loader/loads@0.1.0#[static]load.start-doctor")
                (param i32 i32 i32 i32) (result i32)
                (call $start (local.get 0) (local.get 1) (local.get 2) (local.get 3)))
            (func (export "snowcat:loader/loads@0.1.0#[static]load.start-approved")
                (param i32 i32 i32 i32) (result i32)
                (call $start (local.get 0) (local.get 1) (local.get 2) (local.get 3)))
            (func (export "snowcat:loader/loads@0.1.0#[static]load.start-within")
                (param i32 i32 i32 i32 i32 i32) (result i32)
                (call $start (local.get 0) (local.get 1) (local.get 2) (local.get 3)))
            (func (export "snowcat:loader/loads@0.1.0#[static]load.start-status")
                (param i32 i32 i32 i32 i32) (result i32)
                (call $start (local.get 0) (local.get 1) (local.get 3) (local.get 4)))
            (func (export "snowcat:loader/loads@0.1.0#[static]load.start-logs")
                (param i32 i32) (result i32)
                (call $start (local.get 0) (local.get 1) (local.get 0) (local.get 1)))
            (func (export "snowcat:loader/loads@0.1.0#[method]load.resume")
                (param i32 i32 i32 i32 i32 i32 i32) (result i32)
                {resume})
            (func $payload (export "snowcat:loader/loads@0.1.0#[method]load.payload")
                (param i32) (result i32)
                (i32.store8 (i32.const 16) (i32.const 0))
                (i32.store (i32.const 20) (i32.const 64))
                (i32.store (i32.const 24) (i32.const 5))
                (i32.const 16))
            (func (export "snowcat:loader/loads@0.1.0#[method]load.payload-base64")
                (param i32) (result i32)
                (call $payload (local.get 0))))"#
    );
    let mut module = wat::parse_str(module).expect("the module is well formed");
    let mut resolve = Resolve::default();
    let wit = concat!(env!("CARGO_MANIFEST_DIR"), "/../wit");
    let (package, _) = resolve.push_path(wit).expect("the interface is well formed");
    let world = resolve.select_world(&[package], Some("loader")).expect("there is a world");
    embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8)
        .expect("the world fits");
    ComponentEncoder::default()
        .validate(true)
        .module(&module)
        .and_then(|mut encoder| encoder.encode())
        .expect("the module is a component")
}

/// The body of a `resume` that returns the fault `data`: `stage`.
pub(crate) const FAULT: &str = "
    (i32.store8 (i32.const 1024) (i32.const 1))
    (i32.store8 (i32.const 1032) (i32.const 1))
    (i32.store (i32.const 1036) (i32.const 64))
    (i32.store (i32.const 1040) (i32.const 5))
    (i32.store (i32.const 1044) (i32.const 0))
    (i32.store (i32.const 1048) (i32.const 0))
    (i32.const 1024)";

/// The body of a `resume` that always requests an upload of `1/a` to `stage`, of `size` bytes.
pub(crate) fn upload(size: u64) -> String {
    format!(
        "(i32.store8 (i32.const 1024) (i32.const 0))
        (i32.store8 (i32.const 1032) (i32.const 3))
        (i32.store (i32.const 1040) (i32.const 64))
        (i32.store (i32.const 1044) (i32.const 5))
        (i32.store (i32.const 1048) (i32.const 72))
        (i32.store (i32.const 1052) (i32.const 3))
        (i64.store (i32.const 1056) (i64.const {size}))
        (i32.const 1024)"
    )
}

/// The body of a `resume` that always requests a wait of `seconds`.
pub(crate) fn wait(seconds: &str) -> String {
    format!(
        "(i32.store8 (i32.const 1024) (i32.const 0))
        (i32.store8 (i32.const 1032) (i32.const 4))
        (f64.store (i32.const 1040) (f64.const {seconds}))
        (i32.store (i32.const 1048) (i32.const 64))
        (i32.store (i32.const 1052) (i32.const 5))
        (i32.const 1024)"
    )
}
