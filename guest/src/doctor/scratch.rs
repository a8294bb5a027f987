//! The schemas that contain all objects of an examination.

use super::examiner::{Examiner, Found, Rule, SubjectStop, cells, shown};
use super::names::Scratch;
use crate::sql::doctor;

const CREATE: Rule = Rule {
    name: "rights.create_schema",
    assumed: "The owner of the procedures may create schemas in the database",
    remedy: "GRANT USAGE, CREATE SCHEMA ON DATABASE <the database> TO ROLE SNOWCAT_OWNER",
};
const DROPPED: Rule = Rule {
    name: "rights.drop_schema",
    assumed: "The scratch schemas can be dropped",
    remedy: "Drop the two schemas as their owner",
};

pub(super) const RULES: &[&Rule] = &[&CREATE, &DROPPED];

/// The comment of a scratch schema. Only schemas with this comment are dropped.
const MARK: &str = "Snowcat: made by P_DOCTOR, which drops it";

/// Creates the scratch schemas. First drops those that an interrupted examination left behind.
pub(super) async fn create(x: &mut Examiner) -> Found {
    let Scratch { schema, staging, database, .. } = x.scratch.clone();
    for schema in [&schema, &staging] {
        let Err(failure) = x.sql(doctor::create_scratch(schema, MARK)).await? else { continue };
        // The database may not exist, so this may fail, too.
        let found = x.sql(doctor::select_schemas(&database, &[schema])).await?;
        let rows = found.map_or_else(|_| Vec::new(), |found| found.rows);
        let comment = rows.first().and_then(|row| row.get(2)?.as_deref());
        if rows.is_empty() {
            x.note(&CREATE, false, shown(&failure));
        } else if comment != Some(MARK) {
            let name = schema.last();
            let seen = format!("the schema {name} exists and was not made by an examination");
            x.untried(&CREATE, seen, "Rename or drop the schema, or name another dataset");
        } else {
            x.need(doctor::drop_schema(schema)).await?;
            x.need(doctor::create_scratch(schema, MARK)).await?;
            continue;
        }
        // This examination did not create it, so it does not drop it.
        x.untried(&DROPPED, "there is no scratch schema", "");
        if schema == &staging {
            x.need(doctor::drop_schema(&x.scratch.schema.clone())).await?;
        }
        return Err(SubjectStop::Reason(
            "there is no scratch schema: see rights.create_schema".to_owned(),
        ));
    }
    x.note(&CREATE, true, format!("made {} and {}", schema.last(), staging.last()));
    Ok(())
}

/// Drops the scratch schemas.
pub(super) async fn drop_all(x: &mut Examiner) -> Found {
    let Scratch { schema, staging, .. } = x.scratch.clone();
    let mut seen = Vec::new();
    let mut holds = true;
    for schema in [&staging, &schema] {
        match x.sql(doctor::drop_schema(schema)).await? {
            Ok(outcome) => seen.push(cells(&outcome)),
            Err(failure) => {
                holds = false;
                seen.push(shown(&failure));
            }
        }
    }
    x.note(&DROPPED, holds, seen.join("; "));
    Ok(())
}
