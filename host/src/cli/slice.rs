//! The step of a backfill in slices, by the command line or the environment of a job service.

use clap::Args;
use serde_json::Value;

/// The step of a backfill.
#[derive(Args)]
#[command(next_help_heading = "Backfill in slices")]
pub(super) struct SliceArguments {
    /// Load the open slices whose number, divided by N, leaves I. Without it, a job with slices takes I and N from
    /// SNOWFLAKE_JOB_INDEX and SNOWFLAKE_JOBS_COUNT, if N is more than 1
    #[arg(long, value_name = "I/N")]
    slice: Option<String>,
    /// Store the slices, without loading any
    #[arg(long, conflicts_with = "slice")]
    plan_slices: bool,
    /// End the backfill, when all slices are loaded: move the cursors
    #[arg(long, conflicts_with_all = ["slice", "plan_slices"])]
    finish: bool,
}

impl SliceArguments {
    /// Sets the step in the job, which checks it.
    pub(super) fn set(&self, job: &mut Value, variable: &dyn Fn(&str) -> Option<String>) {
        let step = match (&self.slice, self.plan_slices, self.finish) {
            (_, true, _) => Some("plan".to_owned()),
            (_, _, true) => Some("finish".to_owned()),
            (Some(share), ..) => Some(share.clone()),
            (None, ..) => share(job, variable),
        };
        if let (Some(step), Some(job)) = (step, job.as_object_mut()) {
            job.insert("slice".to_owned(), step.into());
        }
    }
}

/// The share of a replica of a job service. A job service without replicas loads the job as any other.
/// Source: Snowflake documentation, "EXECUTE JOB SERVICE", REPLICAS.
fn share(job: &Value, variable: &dyn Fn(&str) -> Option<String>) -> Option<String> {
    let resources = job.get("resources").and_then(Value::as_array).into_iter().flatten();
    let sliced = |value: &Value| value.get("slices").is_some_and(|slices| !slices.is_null());
    if job.get("slice").is_some() || !resources.chain(job.get("resource_defaults")).any(sliced) {
        return None;
    }
    let (index, count) = (variable("SNOWFLAKE_JOB_INDEX")?, variable("SNOWFLAKE_JOBS_COUNT")?);
    (count.trim() != "1").then(|| format!("{}/{}", index.trim(), count.trim()))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_replica_loads_its_share() {
        let check =
            |resource: Value, given: &SliceArguments, index: &str, count: &str, expect: Value| {
                let mut job = json!({"resources": [resource]});
                given.set(&mut job, &|name| match name {
                    "SNOWFLAKE_JOB_INDEX" => Some(index.to_owned()),
                    "SNOWFLAKE_JOBS_COUNT" => Some(count.to_owned()),
                    _ => None,
                });
                assert_eq!(job.get("slice").unwrap_or(&Value::Null), &expect);
            };
        let of = |slice: Option<&str>, plan_slices, finish| SliceArguments {
            slice: slice.map(str::to_owned),
            plan_slices,
            finish,
        };
        let none = of(None, false, false);
        let sliced = || json!({"name": "a", "slices": {}});
        check(sliced(), &none, "3", "8", json!("3/8"));
        check(sliced(), &none, "0", "1", Value::Null);
        check(json!("a"), &none, "3", "8", Value::Null);
        check(sliced(), &of(Some("1/2"), false, false), "3", "8", json!("1/2"));
        check(sliced(), &of(None, true, false), "3", "8", json!("plan"));
        check(sliced(), &of(None, false, true), "3", "8", json!("finish"));
    }
}
