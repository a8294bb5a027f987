//! Stages: names that need quotes, uploads, overwriting, reading back, and the rights of a
//! procedure there.

use super::examiner::{Examiner, Found, Rule, cell, cells, shown};
use crate::protocol::{Content, Pull};
use crate::sql::{Name, ddl, doctor};

/// The default encryption of a stage.
const ENCRYPTION: &str = "SNOWFLAKE_SSE";
const FULL: &str = "SNOWFLAKE_FULL";

pub(super) const SSE: Rule = Rule {
    name: "stage.encryption_sse",
    assumed: "CREATE STAGE takes ENCRYPTION = (TYPE = 'SNOWFLAKE_SSE')",
    remedy: "Say \"stage_encryption\": \"SNOWFLAKE_FULL\" in the job: Tri-Secret Secure wants it",
};
const CLIENT_SIDE: Rule = Rule {
    name: "stage.encryption_full",
    assumed: "CREATE STAGE takes ENCRYPTION = (TYPE = 'SNOWFLAKE_FULL')",
    remedy: "None as long as stage.encryption_sse holds",
};
const PUT: Rule = Rule {
    name: "stage.upload",
    assumed: "A file goes to a stage whose name needs quotes, to a path with `-` and `.`",
    remedy: "Please report it with the text: no load can work",
};
const OVERWRITE: Rule = Rule {
    name: "stage.overwrite",
    assumed: "A second upload to the same path replaces the file",
    remedy: "Please report it: a load that is repeated after a failure would find the old file",
};
const LIST: Rule = Rule {
    name: "stage.list",
    assumed: "LIST names files with the name of the stage in small letters, a slash and the path",
    remedy: "Please report it: jobs that read files of stages find none",
};
const READ: Rule = Rule {
    name: "stage.read",
    assumed: "A procedure reads the bytes back that it wrote",
    remedy: "Please report it: jobs that read files of stages fail",
};
const LARGE: Rule = Rule {
    name: "stage.upload_12_mib",
    assumed: "A file of 12 MiB, which is the largest of a load, can be uploaded",
    remedy: "Use a larger warehouse: the file is in memory",
};
const REMOVE: Rule = Rule {
    name: "stage.remove",
    assumed: "REMOVE is not allowed to procedures with owner's rights: loads drop their stage instead",
    remedy: "None: loads do not use it",
};
const DROP: Rule = Rule {
    name: "stage.drop",
    assumed: "DROP STAGE removes a stage with its files",
    remedy: "Drop stages whose names begin with SNOWCAT__ by hand",
};

pub(super) const RULES: &[&Rule] =
    &[&SSE, &CLIENT_SIDE, &PUT, &OVERWRITE, &LIST, &READ, &LARGE, &REMOVE, &DROP];

const PATH: &str = "1.5/0.a-b.c/0.txt";
const CONTENT: &str = "Snowcat\nκόσμε\n";

/// Creates a stage with this name and the first encryption that the account accepts.
pub(super) async fn make(x: &mut Examiner, name: &str) -> Found<Name> {
    let stage = x.scratch.object(name);
    if x.sql(ddl::create_stage(&stage, ENCRYPTION)).await?.is_err() {
        x.need(ddl::create_stage(&stage, FULL)).await?;
    }
    Ok(stage)
}

pub(super) async fn run(x: &mut Examiner) -> Found {
    for (rule, encryption) in [(&SSE, ENCRYPTION), (&CLIENT_SIDE, FULL)] {
        let stage = x.scratch.object(&format!("DOCTOR_{encryption}"));
        match x.sql(ddl::create_stage(&stage, encryption)).await? {
            Ok(outcome) => x.note(rule, true, cells(&outcome)),
            Err(failure) => x.note(rule, false, shown(&failure)),
        }
    }
    let stage = make(x, "snowcat doctor-é.1").await?;
    match x.upload(&stage, PATH, b"old".to_vec()).await? {
        Ok(()) => x.note(&PUT, true, format!("{} at {PATH}", stage.last())),
        Err(failure) => {
            x.note(&PUT, false, shown(&failure));
            return Ok(());
        }
    }
    overwrite(x, &stage).await?;
    match x.upload(&stage, "large.bin", vec![7; 12 << 20]).await? {
        Ok(()) => x.note(&LARGE, true, "it arrived"),
        Err(failure) => x.note(&LARGE, false, shown(&failure)),
    }
    match x.sql(doctor::remove(&stage, PATH)).await? {
        Ok(outcome) => x.note(&REMOVE, false, format!("it is allowed: {}", cells(&outcome))),
        Err(failure) => x.note(&REMOVE, true, shown(&failure)),
    }
    match x.sql(ddl::drop_stage(&stage)).await? {
        Ok(outcome) => x.note(&DROP, true, cells(&outcome)),
        Err(failure) => x.note(&DROP, false, shown(&failure)),
    }
    Ok(())
}

async fn overwrite(x: &mut Examiner, stage: &Name) -> Found {
    x.need_upload(stage, PATH, CONTENT.as_bytes().to_vec()).await?;
    let listed = x.need(doctor::list(stage, "1.5/")).await?;
    // Columns: name, size, ...
    let sizes: Vec<&str> = listed.rows.iter().map(|row| cell(row, 1)).collect();
    let seen = format!("{} files of {} bytes", sizes.len(), sizes.join(", "));
    x.note(&OVERWRITE, sizes == [CONTENT.len().to_string()], seen);
    let name = listed.rows.first().map_or("", |row| cell(row, 0)).to_owned();
    let holds = name == format!("{}/{PATH}", stage.last().to_lowercase());
    x.note(&LIST, holds, format!("{name:?}"));
    let pull = Pull {
        encoding: None,
        resource: "doctor".to_owned(),
        files: vec![format!("@{stage}/{PATH}")],
        content: Content::Text,
        skip: false,
    };
    let mut read = String::new();
    loop {
        match x.pull(pull.clone()).await? {
            Ok(Some(page)) => read.push_str(&page),
            Ok(None) => break,
            Err(failure) => {
                x.note(&READ, false, shown(&failure));
                return Ok(());
            }
        }
    }
    x.note(&READ, read == CONTENT, format!("{} bytes of {}", read.len(), CONTENT.len()));
    Ok(())
}
