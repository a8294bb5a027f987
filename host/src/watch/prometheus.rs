//! The numbers in the text format of Prometheus, version 0.0.4.

use std::fmt::Write as _;

use super::metrics::{Label, Points, metrics};
use super::numbers::{Histogram, Snapshot};

/// Returns the numbers as `/metrics` shows them.
///
/// ```
/// use snowcat_host::watch::{Numbers, prometheus_text};
///
/// let text = prometheus_text(&Numbers::new().snapshot());
/// assert!(text.contains("# TYPE snowcat_pages_total counter\nsnowcat_pages_total 0\n"));
/// ```
#[must_use]
pub fn prometheus_text(numbers: &Snapshot) -> String {
    let mut text = String::new();
    for metric in metrics(numbers) {
        let kind = match metric.points {
            Points::Counter(_) => "counter",
            Points::Gauge(_) => "gauge",
            Points::Histogram(_) => "histogram",
        };
        let name = format!("snowcat_{}", metric.name);
        // A String takes everything.
        _ = write!(text, "# HELP {name} {}\n# TYPE {name} {kind}\n", metric.help);
        match metric.points {
            Points::Counter(points) => {
                for (label, value) in points {
                    _ = writeln!(text, "{name}{} {value}", braced(&label, None));
                }
            }
            Points::Gauge(value) => _ = writeln!(text, "{name} {value}"),
            Points::Histogram(points) => {
                for (label, times) in points {
                    histogram(&mut text, &name, &label, &times);
                }
            }
        }
    }
    text
}

fn histogram(text: &mut String, name: &str, label: &Label, times: &Histogram) {
    let mut below = 0;
    for (bound, count) in Histogram::BOUNDS.iter().zip(times.counts) {
        below += count;
        let labels = braced(label, Some(&bound.to_string()));
        _ = writeln!(text, "{name}_bucket{labels} {below}");
    }
    let all = times.count();
    _ = writeln!(text, "{name}_bucket{} {all}", braced(label, Some("+Inf")));
    let labels = braced(label, None);
    _ = write!(text, "{name}_sum{labels} {}\n{name}_count{labels} {all}\n", times.sum);
}

/// Returns the label, and the bound of a bucket, in braces.
fn braced(label: &Label, bound: Option<&str>) -> String {
    let label = label.as_ref().map(|(name, word)| {
        let word = word.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
        format!("{name}=\"{word}\"")
    });
    let bound = bound.map(|bound| format!("le=\"{bound}\""));
    let labels: Vec<String> = label.into_iter().chain(bound).collect();
    if labels.is_empty() { String::new() } else { format!("{{{}}}", labels.join(",")) }
}
