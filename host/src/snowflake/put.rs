//! PUT and LIST, the statements of an upload: the only SQL that this host writes.

/// Returns the PUT of a file on a stage, which replaces one of the same name. `stage` is qualified and quoted,
/// without the `@`. No file of this machine is read: the service returns where to upload to.
pub(super) fn put_statement(stage: &str, path: &str) -> String {
    let (folder, name) = match path.rsplit_once('/') {
        Some((folder, name)) => (format!("/{folder}"), name),
        None => (String::new(), path),
    };
    let target = format!("@{stage}{folder}").replace('\\', "\\\\").replace('\'', "\\'");
    format!("PUT 'file:///snowcat/{name}' '{target}' AUTO_COMPRESS=FALSE OVERWRITE=TRUE")
}

/// Returns the LIST of a file on a stage, which has a row if the file exists. A PUT is answered whether it exists or
/// not. `stage` is qualified, without the `@`.
pub(super) fn list_statement(stage: &str, path: &str) -> String {
    let target = format!("@{stage}/{path}").replace('\\', "\\\\").replace('\'', "\\'");
    format!("LIST '{target}'")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_put_names_the_stage_and_the_folder() {
        let check = |stage: &str, path: &str, file: &str, target: &str| {
            let expected = format!(
                "PUT 'file:///snowcat/{file}' '{target}' AUTO_COMPRESS=FALSE OVERWRITE=TRUE"
            );
            assert_eq!(put_statement(stage, path), expected);
        };
        let stage = r#""RAW"."SHOP"."_LOAD""#;
        check(stage, "1.5/orders.parquet", "orders.parquet", r#"@"RAW"."SHOP"."_LOAD"/1.5"#);
        check(stage, "a/b/c", "c", r#"@"RAW"."SHOP"."_LOAD"/a/b"#);
        check(stage, "c", "c", r#"@"RAW"."SHOP"."_LOAD""#);
        check(r#""it's"."\""#, "c", "c", r#"@"it\'s"."\\""#);
    }
}
