//! Rows of ten columns as cells and as JSON with the same values, for measurements.

use snowcat_guest::protocol::InputColumn;

/// The size of a page in bytes.
const PAGE: usize = 4 << 20;

/// The form of the rows.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Form {
    Cells,
    Json,
}

/// The name, kind, precision and scale of each column.
const COLUMNS: [(&str, &str, Option<u32>, Option<u32>); 10] = [
    ("id", "bigint", None, None),
    ("account_id", "bigint", None, None),
    ("amount", "decimal", Some(18), Some(2)),
    ("ratio", "double", None, None),
    ("is_open", "bool", None, None),
    ("booked_on", "date", None, None),
    ("created_at", "timestamp", None, None),
    ("name", "text", None, None),
    ("status", "text", None, None),
    ("note", "text", None, None),
];

pub(crate) fn columns() -> Vec<InputColumn> {
    let column = |(name, kind, precision, scale): (&str, &str, _, _)| InputColumn {
        name: name.to_owned(),
        native: kind.to_owned(),
        kind: kind.to_owned(),
        precision,
        scale,
        nullable: true,
    };
    COLUMNS.into_iter().map(column).collect()
}

/// Pages of `rows` rows in total.
pub(crate) fn pages(form: Form, rows: u64) -> impl Iterator<Item = String> {
    let mut row = 0;
    std::iter::from_fn(move || {
        let mut page = String::with_capacity(PAGE + 1024);
        while row < rows && page.len() < PAGE {
            write(form, row, &mut page);
            row += 1;
        }
        Some(page).filter(|page| !page.is_empty())
    })
}

fn write(form: Form, row: u64, page: &mut String) {
    let chance = row.wrapping_mul(6_364_136_223_846_793_005).rotate_left(23) ^ row;
    let (day, second) = (chance % 28 + 1, chance / 7 % 60);
    let status = ["open", "closed", "waiting"][(chance / 3 % 3) as usize];
    let note = match (form, chance % 5) {
        (Form::Cells, 0) => "\\N".to_owned(),
        (Form::Json, 0) => "null".to_owned(),
        (Form::Cells, 1) => format!("line\\n{chance}"),
        (Form::Json, 1) => format!("\"line\\n{chance}\""),
        (Form::Cells, _) => format!("about {chance}"),
        (Form::Json, _) => format!("\"about {chance}\""),
    };
    let (account, whole, cents) = (chance % 100_000, chance % 1_000_000, 10 + chance % 89);
    let ratio = format!("0.{}", 1 + chance % 99_999);
    let day = format!("2024-01-{day:02}");
    let at = format!("{day}T10:20:{second:02}.{:06}+00:00", 1 + chance % 999_998);
    let name = format!("customer {}", chance % 10_000_000);
    let ok = chance.is_multiple_of(2);
    page.push_str(&match form {
        Form::Cells => {
            let ok = if ok { "t" } else { "f" };
            format!(
                "{row}\t{account}\t{whole}.{cents}\t{ratio}\t{ok}\t{day}\t{at}\t{name}\t{status}\t{note}\n"
            )
        }
        Form::Json => format!(
            "{{\"id\":{row},\"account_id\":{account},\"amount\":{whole}.{cents},\"ratio\":{ratio},\
             \"is_open\":{ok},\"booked_on\":\"{day}\",\"created_at\":\"{at}\",\"name\":\"{name}\",\
             \"status\":\"{status}\",\"note\":{note}}}\n"
        ),
    });
}
