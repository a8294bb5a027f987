//! The options of a job's `delivery` that the host carries out.

use serde_json::Value;
use snowcat_host::stage::QueueLimits;

/// The limits of uploads. An option that is not valid is an error of the load, which parses it first.
pub(super) fn upload_limits(job: &Value) -> QueueLimits {
    let usual = QueueLimits::default();
    let threads = option(job, "parallel_uploads").unwrap_or(usual.threads);
    QueueLimits { threads, ..usual }
}

/// The most sessions that run statements at once.
pub(super) fn sessions(job: &Value) -> usize {
    option(job, "sessions").unwrap_or(1)
}

fn option(job: &Value, key: &str) -> Option<usize> {
    let number = job.get("delivery")?.get(key)?.as_u64()?;
    usize::try_from(number).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_job_limits_uploads() {
        let check = |delivery: Value, expect| {
            let job = json!({"delivery": delivery});
            assert_eq!(upload_limits(&job).threads, expect, "{job}");
        };
        check(json!({"parallel_uploads": 16}), 16);
        check(json!({}), 8);
        check(Value::Null, 8);
        check(json!({"parallel_uploads": "many"}), 8);
        assert_eq!(sessions(&json!({"delivery": {"sessions": 4}})), 4);
        assert_eq!(sessions(&json!({})), 1);
    }
}
