//! A component that loops, allocates, panics or returns invalid steps ends its own run and nothing
//! else.

use std::thread;
use std::time::{Duration, Instant};

use snowcat_host::{
    DryRun, Engine, Error, Failure, Fault, FaultKind, Host, Limit, Limits, Pull, Pulled, Request,
    Response, Runner, Script, Settings, SqlReply, Upload,
};

use crate::stub;

const ENDLESS: &str = "(loop (br 0)) (unreachable)";
const HOARDING: &str = "(loop (drop (memory.grow (i32.const 100))) (br 0)) (unreachable)";

#[test]
fn time_is_limited() {
    let limits = Limits { time: Duration::from_millis(200), ..Limits::default() };
    let clock = Instant::now();
    let error = run(ENDLESS, false, limits);
    assert!(
        matches!(error, Error::Limit(Limit::Time { limit }) if limit == limits.time),
        "{error}"
    );
    assert!(clock.elapsed() >= limits.time);
}

#[test]
fn fuel_is_limited() {
    let limits = Limits { fuel: Some(1_000_000), ..Limits::default() };
    let error = run(ENDLESS, true, limits);
    assert!(matches!(error, Error::Limit(Limit::Fuel { limit: 1_000_000 })), "{error}");
    // An engine that does not count fuel cannot limit it, and reports this.
    let error = run(ENDLESS, false, limits);
    assert!(matches!(&error, Error::Misuse(why) if why.contains("fuel")), "{error}");
}

#[test]
fn memory_is_limited() {
    let limits = Limits { memory: 16 << 20, ..Limits::default() };
    let error = run(HOARDING, false, limits);
    let Error::Limit(Limit::Memory { limit, wanted }) = error else { panic!("{error}") };
    assert_eq!(limit, 16 << 20);
    assert!(wanted > limit);
    // The initial memory counts, too.
    let error = run(HOARDING, false, Limits { memory: 100, ..Limits::default() });
    assert!(matches!(error, Error::Limit(Limit::Memory { limit: 100, .. })), "{error}");
}

#[test]
fn a_trap_is_a_defect() {
    let error = run("(unreachable)", false, Limits::default());
    assert!(
        matches!(&error, Error::Trap { message, .. } if message.contains("unreachable")),
        "{error}"
    );
    assert!(error.to_string().contains("please report"), "{error}");
}

#[test]
fn faults_are_unchanged() {
    let error = run(stub::FAULT, false, Limits::default());
    let expected = Fault { kind: FaultKind::Data, message: "stage".into(), context: vec![] };
    assert_eq!(error.as_fault(), Some(&expected));
    assert_eq!(error.to_string(), "data: stage");
}

#[test]
fn invalid_steps_are_defects() {
    let check = |resume: &str, expected: &str| {
        let error = run(resume, false, Limits::default());
        assert!(matches!(&error, Error::Defect(why) if why.contains(expected)), "{error}");
    };
    check(&stub::upload(6), "announced with 6 bytes, found 5");
    check(&stub::wait("nan"), "a wait of NaN seconds");
    check(&stub::wait("-1"), "a wait of -1 seconds");
    check(&stub::wait("inf"), "a wait of inf seconds");
    check(&stub::wait("900.5"), "a wait of 900.5 seconds");
    check(&stub::upload(5), "\"stage\" is not the name of a stage");
}

#[test]
fn time_of_the_host_does_not_count() {
    /// Takes longer than a step may, and fails at the second call to end the run.
    struct Slow(u32);

    impl Host for Slow {
        fn sql(&mut self, _: &Script) -> Result<SqlReply, Failure> {
            Ok(SqlReply::DryRun)
        }

        fn upload(&mut self, _: &Upload, _: Vec<u8>) -> Result<(), Failure> {
            Ok(())
        }

        fn fetch(&mut self, _: &[Request]) -> Vec<Result<Response, Failure>> {
            Vec::new()
        }

        fn pull(&mut self, _: &Pull) -> Result<Pulled, Failure> {
            Ok(Pulled::End)
        }

        fn wait(&mut self, _: f64, _: &str) {
            self.0 += 1;
            thread::sleep(Duration::from_millis(400));
        }
    }

    // The second step of the stub is a fault: reaching it shows that the first wait did not count.
    let resume = format!(
        "(if (i32.load (i32.const 2048)) (then {} (return)))
        (i32.store (i32.const 2048) (i32.const 1))
        {}",
        stub::FAULT,
        stub::wait("1")
    );
    let engine = engine(&resume, false);
    // Another run keeps the clock running meanwhile.
    let other = {
        let engine = engine.clone();
        thread::spawn(move || {
            Runner::new(&engine).run("{}", "", &mut Slow(0)).map_err(|error| error.to_string())
        })
    };
    let limits = Limits { time: Duration::from_millis(150), ..Limits::default() };
    let mut warehouse = Slow(0);
    let error = Runner::new(&engine).limits(limits).run("{}", "", &mut warehouse).unwrap_err();
    assert!(error.as_fault().is_some(), "{error}");
    assert_eq!(warehouse.0, 1);
    assert_eq!(other.join().unwrap(), Err("data: stage".to_owned()));
}

#[test]
fn one_engine_serves_many_threads() {
    let engine = engine(ENDLESS, false);
    let limits = Limits { time: Duration::from_millis(100), ..Limits::default() };
    thread::scope(|scope| {
        let run = || Runner::new(&engine).limits(limits).run("{}", "", &mut DryRun::new());
        let runs: Vec<_> = (0..4).map(|_| scope.spawn(run)).collect();
        for run in runs {
            assert!(matches!(run.join().unwrap(), Err(Error::Limit(Limit::Time { .. }))));
        }
    });
}

fn run(resume: &str, fuel: bool, limits: Limits) -> Error {
    Runner::new(&engine(resume, fuel))
        .limits(limits)
        .run("{}", "2026-01-01T00:00:00Z", &mut DryRun::new())
        .expect_err("the stub never finishes")
}

fn engine(resume: &str, fuel: bool) -> Engine {
    let settings = Settings { cache: false, fuel, ..Settings::default() };
    Engine::with_component(&settings, &stub::component(resume)).expect("the stub is a component")
}
