//! The rights of the procedures' owner in the schemas that loads of the dataset write to.

use super::examiner::{Examiner, Found, Rule, SubjectStop, cell, shown};
use super::names::Scratch;
use crate::protocol::Outcome;
use crate::sql::{Name, doctor};

const TABLE_OWNER: Rule = Rule {
    name: "rights.table_owner",
    assumed: "A new table belongs to the role that makes it",
    remedy: "REVOKE OWNERSHIP ON FUTURE TABLES IN DATABASE <the database> FROM ROLE <the other role>",
};
const SCHEMAS: Rule = Rule {
    name: "rights.schemas",
    assumed: "The schemas of the dataset belong to the owner of the procedures, or grant it USAGE, CREATE TABLE \
              and CREATE STAGE",
    remedy: "For both schemas: GRANT OWNERSHIP ON SCHEMA <the schema> TO ROLE SNOWCAT_OWNER COPY CURRENT GRANTS",
};
const TABLES: Rule = Rule {
    name: "rights.tables",
    assumed: "The tables of the dataset belong to the owner of the procedures: ALTER TABLE needs ownership",
    remedy: "For both schemas: GRANT OWNERSHIP ON ALL TABLES IN SCHEMA <the schema> TO ROLE SNOWCAT_OWNER \
             COPY CURRENT GRANTS",
};
const VIEWS: Rule = Rule {
    name: "rights.views",
    assumed: "No view is in the schemas of the dataset: a load whose table has the name of a view fails",
    remedy: "Keep views in a schema of their own",
};
const FUTURE: Rule = Rule {
    name: "rights.future_grants",
    assumed: "No future grant gives new tables or stages of the dataset to another role",
    remedy: "REVOKE OWNERSHIP ON FUTURE TABLES IN SCHEMA <the schema> FROM ROLE <the other role>",
};

/// Those that concern the scratch schemas are checked first and last.
pub(super) const RULES: &[&Rule] = &[&TABLE_OWNER, &SCHEMAS, &TABLES, &VIEWS, &FUTURE];

pub(super) async fn run(x: &mut Examiner) -> Found {
    let Scratch { database, schema, user_schemas, .. } = x.scratch.clone();
    let table = x.scratch.object("DOCTOR_OWNED");
    x.need(doctor::create_texts(&table, &["A"])).await?;
    let [dataset, staging] = &user_schemas;
    let found = x.need(doctor::select_schemas(&database, &[&schema, dataset, staging])).await?;
    let Some(own) = owner_of(&found, schema.last()) else {
        return Err(SubjectStop::Reason(
            "the information schema does not show the scratch schema".to_owned(),
        ));
    };
    let made = x.need(doctor::select_tables(&database, &[&schema])).await?;
    match made.rows.iter().find(|row| cell(row, 1) == table.last()) {
        None => x.untried(&TABLE_OWNER, "the information schema does not show the new table", ""),
        Some(row) => {
            let owner = cell(row, 3);
            x.note(
                &TABLE_OWNER,
                owner == own,
                format!("it belongs to {owner}, the schema to {own}"),
            );
        }
    }
    let there: Vec<&Name> =
        user_schemas.iter().filter(|schema| owner_of(&found, schema.last()).is_some()).collect();
    if there.is_empty() {
        for rule in [&SCHEMAS, &TABLES, &VIEWS, &FUTURE] {
            x.note(rule, true, "the dataset is new");
        }
        return Ok(());
    }
    schemas(x, &there, &found, &own).await?;
    tables(x, &database, &there, &own).await?;
    future_grants(x, &there, &own).await
}

async fn schemas(x: &mut Examiner, there: &[&Name], found: &Outcome, own: &str) -> Found {
    let (mut seen, mut holds) = (Vec::new(), true);
    for schema in there {
        let owner = owner_of(found, schema.last()).unwrap_or_default();
        if owner == own {
            seen.push(format!("{} belongs to {own}", schema.last()));
            continue;
        }
        let grants = match x.sql(doctor::show_grants(schema)).await? {
            Ok(outcome) => outcome,
            Err(failure) => {
                let seen = format!(
                    "{} belongs to {owner}; SHOW GRANTS: {}",
                    schema.last(),
                    shown(&failure)
                );
                x.untried(&SCHEMAS, seen, SCHEMAS.remedy);
                return Ok(());
            }
        };
        // Columns: when, privilege, kind, name, kind of grantee, grantee, ...
        let granted = |privilege: &str| {
            grants.rows.iter().any(|row| {
                matches!(cell(row, 1), given if given == privilege || given == "ALL")
                    && cell(row, 5) == own
            })
        };
        let missing: Vec<&str> =
            doctor::NEEDED_PRIVILEGES.into_iter().filter(|privilege| !granted(privilege)).collect();
        holds &= missing.is_empty();
        seen.push(match missing.is_empty() {
            true => format!("{} belongs to {owner} and grants {own} what it needs", schema.last()),
            false => format!(
                "{} belongs to {owner} and does not grant {own} {}",
                schema.last(),
                missing.join(", ")
            ),
        });
    }
    x.note(&SCHEMAS, holds, seen.join("; "));
    Ok(())
}

async fn tables(x: &mut Examiner, database: &str, there: &[&Name], own: &str) -> Found {
    let found = x.need(doctor::select_tables(database, there)).await?;
    let named = |row: &&Vec<Option<String>>| format!("{}.{}", cell(row, 0), cell(row, 1));
    let views: Vec<_> = found.rows.iter().filter(|row| cell(row, 2) == "VIEW").collect();
    let others: Vec<_> = found.rows.iter().filter(|row| cell(row, 3) != own).collect();
    let seen = format!("{} tables and views, {} of another owner", found.rows.len(), others.len());
    let shown =
        others.iter().take(MOST_NAMED).map(|row| format!("{} ({})", named(row), cell(row, 3)));
    x.note(&TABLES, others.is_empty(), listed(seen, shown));
    let seen = format!("{} views", views.len());
    x.note(&VIEWS, views.is_empty(), listed(seen, views.iter().take(MOST_NAMED).map(named)));
    Ok(())
}

/// The maximum number of objects that a result names.
const MOST_NAMED: usize = 10;

fn listed(seen: String, names: impl Iterator<Item = String>) -> String {
    let names: Vec<String> = names.collect();
    if names.is_empty() { seen } else { format!("{seen}: {}", names.join(", ")) }
}

async fn future_grants(x: &mut Examiner, there: &[&Name], own: &str) -> Found {
    let mut others = Vec::new();
    for schema in there {
        match x.sql(doctor::show_future_grants(schema)).await? {
            // Columns: when, privilege, kind, name, kind of grantee, grantee, ...
            Ok(outcome) => others.extend(
                outcome
                    .rows
                    .iter()
                    .filter(|row| cell(row, 1) == "OWNERSHIP" && cell(row, 5) != own)
                    .map(|row| {
                        format!("{} in {} to {}", cell(row, 2), schema.last(), cell(row, 5))
                    }),
            ),
            Err(failure) => {
                x.untried(&FUTURE, shown(&failure), FUTURE_BY_HAND);
                return Ok(());
            }
        }
    }
    let seen = if others.is_empty() { "none".to_owned() } else { others.join("; ") };
    x.note(&FUTURE, others.is_empty(), seen);
    Ok(())
}

const FUTURE_BY_HAND: &str =
    "As ACCOUNTADMIN: SHOW FUTURE GRANTS IN SCHEMA <the schema>; and look for OWNERSHIP";

fn owner_of(found: &Outcome, schema: &str) -> Option<String> {
    let row = found.rows.iter().find(|row| cell(row, 0) == schema)?;
    Some(cell(row, 1).to_owned())
}
