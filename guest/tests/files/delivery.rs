//! The files of a load, by the options of `delivery`.

use serde_json::{Value, json};
use snowcat_guest::protocol::FileReport;

use crate::account::Account;
use crate::{FOREVER, input, job};

const RECORDS: u32 = 6000;

/// Loads records with a nested row each, in pages. Returns the files by table, and all rows.
fn load(delivery: &Value, page: usize) -> ([Vec<FileReport>; 2], [Vec<String>; 2]) {
    let record = |n: u32| format!("{{\"id\":{n},\"text\":\"record number {n}\",\"list\":[{n}]}}\n");
    let text: String = (0..RECORDS).map(record).collect();
    let mut job = job(json!({"columns": {"id": {"data_type": "bigint"}}}));
    job["delivery"] = delivery.clone();
    let mut account = Account::default();
    let ended = account.run(&job, &input(&[("", text)], page), FOREVER).unwrap();
    let report = ended.unwrap_or_else(|fault| panic!("{delivery}: {fault}"));
    let files = ["r", "r__list"].map(|table| {
        report.files.iter().filter(|file| file.table == table).cloned().collect::<Vec<_>>()
    });
    (files, ["r", "r__list"].map(|table| without_ids(&account, table)))
}

/// The rows of a table. Ids depend on the load.
fn without_ids(account: &Account, table: &str) -> Vec<String> {
    let mut rows = Vec::new();
    for row in &account.rows[table] {
        let mut row = row.as_object().unwrap().clone();
        row.retain(|key, _| !key.starts_with("_dlt_"));
        rows.push(Value::Object(row).to_string());
    }
    rows.sort();
    rows
}

#[test]
fn a_file_has_at_most_so_many_rows() {
    let (_, whole) = load(&json!({}), 1 << 20);
    for page in [50_000, 1 << 24] {
        for most in [700, 4000, 6000, 9000] {
            let (files, rows) = load(&json!({"max_rows": most}), page);
            assert_eq!(rows, whole, "{most} {page}");
            for files in files {
                assert_eq!(files.iter().map(|file| file.rows).sum::<u64>(), u64::from(RECORDS));
                let found: Vec<u64> = files.iter().map(|file| file.rows).collect();
                assert!(found.iter().all(|rows| *rows <= most), "{most} {page}: {found:?}");
                // No file is much smaller than it could be.
                let fewest = u64::from(RECORDS).div_ceil(most) as usize;
                assert!(files.len() <= 2 * fewest, "{most} {page}: {found:?}");
            }
        }
    }
}

#[test]
fn a_file_is_uploaded_at_so_many_bytes() {
    let sizes = |delivery: Value| {
        let ([files, _], _) = load(&delivery, 50_000);
        files.iter().map(|file| file.bytes).collect::<Vec<_>>()
    };
    let whole = sizes(json!({"compression": "none"}));
    assert_eq!(whole.len(), 1, "{whole:?}");
    let parts = sizes(json!({"compression": "none", "max_bytes": 100_000}));
    let (last, others) = parts.split_last().unwrap();
    assert!(others.len() > 1 && *last > 0, "{parts:?}");
    assert!(others.iter().all(|bytes| (100_000..300_000).contains(bytes)), "{parts:?}");
}
