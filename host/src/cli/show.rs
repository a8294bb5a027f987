//! The output of a plan or a load as text and as JSON.

use std::io::{self, Write};
use std::time::Duration;

use serde_json::{Map, Value, json};
use snowcat_host::dry_run::StagedFile;
use snowcat_host::transcript::report_value;
use snowcat_host::{Order, Report, Script, TableReport};

use super::columns::{Created, created, is_ddl};
use super::grid::{self, Grid, Row};
use super::progress::Timings;
use super::quantity::{bytes, counted, grouped};
use super::statement::Readable;
use super::terminal::printable;

/// The number of rows of each table that are shown.
pub(super) const SHOWN: usize = 5;

/// The results of a run.
pub(super) struct Shown<'a> {
    pub(super) report: &'a Report,
    pub(super) scripts: &'a [Script],
    pub(super) files: &'a [StagedFile],
    pub(super) timings: Timings,
    /// The time until the component was ready.
    pub(super) compiled: Duration,
    pub(super) total: Duration,
}

impl Shown<'_> {
    /// Warnings, tables and their first rows; with `sql` also files and statements.
    pub(super) fn text(&self, out: &mut impl Write, sql: bool) -> io::Result<()> {
        let report = self.report;
        self.title(out)?;
        let declared = self.declared();
        self.tables(out, &declared)?;
        for table in &report.tables {
            self.table(out, table, self.find(&declared, &table.name))?;
        }
        if !self.files.is_empty() && (sql || self.files.iter().any(|file| file.kept.is_some())) {
            self.staged(out)?;
        }
        if sql {
            self.statements(out)?;
        }
        self.summary(out, sql)
    }

    /// Warnings and tables of a load that is committed.
    pub(super) fn loaded(&self, out: &mut impl Write) -> io::Result<()> {
        self.title(out)?;
        self.tables(out, &self.declared())?;
        self.counts(out, "")
    }

    fn title(&self, out: &mut impl Write) -> io::Result<()> {
        let report = self.report;
        let place = format!("{}.{}", report.database, report.dataset);
        writeln!(out, "Load {} into {}", report.load_id, printable(&place))?;
        if !report.warnings.is_empty() {
            heading(out, "Warnings", "")?;
            for warning in &report.warnings {
                writeln!(out, "  {}", printable(warning))?;
            }
        }
        Ok(())
    }

    fn tables(&self, out: &mut impl Write, declared: &[Created]) -> io::Result<()> {
        heading(out, "Tables", "")?;
        let mut rows = vec![["table", "rows", "columns", "resource"].map(str::to_owned)];
        for table in &self.report.tables {
            let columns = self.find(declared, &table.name).map_or(0, |it| it.columns.len());
            rows.push([
                printable(&table.name),
                grouped(table.rows),
                if columns == 0 { "-".to_owned() } else { columns.to_string() },
                printable(&table.resource),
            ]);
        }
        aligned(out, &rows)
    }

    /// The columns of a table and its first rows.
    fn table(
        &self,
        out: &mut impl Write,
        table: &TableReport,
        declared: Option<&Created>,
    ) -> io::Result<()> {
        let columns = declared.map_or(&[][..], |it| &it.columns);
        heading(out, &printable(&table.name), &counted(table.rows, "row"))?;
        let kinds = columns.iter().map(|(name, kind)| printable(&format!("{name} {kind}")));
        for line in grid::wrapped(kinds) {
            writeln!(out, "  {line}")?;
        }
        let reported = |path: &str| self.report.files.iter().find(|it| it.path == path);
        let files = self
            .files
            .iter()
            .filter(|it| reported(&it.path).is_some_and(|it| it.table == table.name));
        let rows = files.flat_map(|file| &file.rows).take(SHOWN);
        let rows: Vec<Row<'_>> = rows.filter_map(|row| serde_json::from_str(row).ok()).collect();
        let names: Vec<&str> = columns.iter().map(|(name, _)| name.as_str()).collect();
        if let Some(grid) = Grid::new(&names, &rows) {
            write!(out, "\n{grid}")?;
        }
        Ok(())
    }

    fn staged(&self, out: &mut impl Write) -> io::Result<()> {
        heading(out, "Files", "")?;
        let mut rows = vec![["file", "rows", "size", "table"].map(str::to_owned)];
        for file in self.files {
            let reported = self.report.files.iter().find(|it| it.path == file.path);
            rows.push([
                file.kept.as_ref().map_or_else(|| file.path.clone(), |p| p.display().to_string()),
                reported.map_or_else(String::new, |it| grouped(it.rows)),
                bytes(file.bytes),
                reported.map_or_else(String::new, |it| printable(&it.table)),
            ]);
        }
        aligned(out, &rows)
    }

    fn all(&self) -> impl Iterator<Item = &String> {
        self.scripts.iter().flat_map(|script| &script.statements)
    }

    /// The DDL first, then the other SQL in order.
    fn statements(&self, out: &mut impl Write) -> io::Result<()> {
        let ddl = self.all().filter(|statement| is_ddl(statement)).count();
        heading(out, "DDL", &counted(ddl, "statement"))?;
        for (number, sql) in self.all().filter(|statement| is_ddl(statement)).enumerate() {
            let gap = if number == 0 { "" } else { "\n" };
            writeln!(out, "{gap}{}", Readable(sql))?;
        }

        let rest = counted(self.all().count() - ddl, "statement");
        heading(out, "SQL", &format!("{rest} in {}", counted(self.scripts.len(), "script")))?;
        for (number, script) in (1..).zip(self.scripts) {
            let statements = script.statements.len();
            let shown: Vec<&String> = script.statements.iter().filter(|s| !is_ddl(s)).collect();
            let order = match script.order {
                _ if statements == 1 => "",
                Order::Any => ", in any order",
                Order::Serial => ", in this order",
            };
            let above = match statements - shown.len() {
                0 => String::new(),
                hidden if hidden == statements => {
                    format!(": {} above", counted(hidden, "DDL statement"))
                }
                hidden => format!(": {}, and these", counted(hidden, "DDL statement")),
            };
            writeln!(out, "-- script {number}{order}{above}")?;
            for statement in &shown {
                writeln!(out, "{}", Readable(statement))?;
            }
            // Scripts that consist of DDL only stay together.
            if !shown.is_empty() {
                writeln!(out)?;
            }
        }
        Ok(())
    }

    fn summary(&self, out: &mut impl Write, sql: bool) -> io::Result<()> {
        self.counts(out, if sql { "" } else { " (--sql shows them)" })?;
        writeln!(out, "Nothing was sent to Snowflake.")
    }

    fn counts(&self, out: &mut impl Write, note: &str) -> io::Result<()> {
        let rows: u64 = self.report.tables.iter().map(|table| table.rows).sum();
        writeln!(
            out,
            "\n{} in {}, {}, {}{}: {:.2} s, of which the load {:.2} s, its input {:.2} s.",
            counted(rows, "row"),
            counted(self.report.tables.len(), "table"),
            counted(self.report.pages, "page"),
            counted(self.all().count(), "statement"),
            note,
            self.total.as_secs_f64(),
            self.timings.load.as_secs_f64(),
            self.timings.source.as_secs_f64(),
        )
    }

    /// The results as one JSON object.
    pub(super) fn json(&self, out: &mut impl Write) -> io::Result<()> {
        writeln!(out, "{:#}", self.value())
    }

    /// The results without the files and statements, which are events of their own.
    pub(super) fn event(&self) -> Map<String, Value> {
        let mut event = Map::from_iter([("event".to_owned(), json!("finished"))]);
        if let Value::Object(value) = self.value() {
            let other = |name: &String| !matches!(name.as_str(), "files" | "statements");
            event.extend(value.into_iter().filter(|(name, _)| other(name)));
        }
        event
    }

    fn value(&self) -> Value {
        let declared = self.declared();
        let tables = self.report.tables.iter().map(|table| {
            let columns = self.find(&declared, &table.name).map_or(&[][..], |it| &it.columns);
            let columns: Vec<Value> =
                columns.iter().map(|(name, kind)| json!({ "name": name, "type": kind })).collect();
            json!({
                "columns": columns,
                "name": table.name,
                "resource": table.resource,
                "rows": table.rows,
            })
        });
        let files = self.files.iter().map(|file| {
            let reported = self.report.files.iter().find(|it| it.path == file.path);
            json!({
                "bytes": file.bytes,
                "kept": file.kept.as_ref().map(|path| path.display().to_string()),
                "path": file.path,
                "rows": reported.map(|it| it.rows),
                "stage": file.stage,
                "table": reported.map(|it| &it.table),
            })
        });
        let statements = (1_u32..).zip(self.scripts).flat_map(|(script, it)| {
            let order = match it.order {
                Order::Any => "any",
                Order::Serial => "serial",
            };
            it.statements.iter().map(move |sql| {
                json!({ "ddl": is_ddl(sql), "order": order, "script": script, "sql": sql })
            })
        });
        json!({
            "files": files.collect::<Vec<_>>(),
            "report": report_value(self.report),
            "statements": statements.collect::<Vec<_>>(),
            "tables": tables.collect::<Vec<_>>(),
            "timings": {
                "compile": self.compiled.as_secs_f64(),
                "files": self.timings.files.as_secs_f64(),
                "load": self.timings.load.as_secs_f64(),
                "source": self.timings.source.as_secs_f64(),
                "total": self.total.as_secs_f64(),
            },
            "warnings": self.report.warnings,
        })
    }

    fn declared(&self) -> Vec<Created> {
        self.scripts
            .iter()
            .flat_map(|script| &script.statements)
            .filter_map(|statement| created(statement))
            .collect()
    }

    /// The table in the dataset itself: others with its name are in the staging schema.
    fn find<'a>(&self, declared: &'a [Created], table: &str) -> Option<&'a Created> {
        let same = |found: &str, wanted: &str| found.eq_ignore_ascii_case(wanted);
        declared.iter().find(|it| match it.path.as_slice() {
            [.., schema, name] => same(schema, &self.report.dataset) && same(name, table),
            _ => false,
        })
    }
}

fn heading(out: &mut impl Write, title: &str, detail: &str) -> io::Result<()> {
    let title = if detail.is_empty() { title.to_owned() } else { format!("{title}: {detail}") };
    writeln!(out, "\n{title}\n{}", "-".repeat(title.chars().count()))
}

/// Four columns: the first and the last are left-aligned, the others right-aligned.
fn aligned(out: &mut impl Write, rows: &[[String; 4]]) -> io::Result<()> {
    let width = |cell: fn(&[String; 4]) -> &String| {
        rows.iter().map(|row| cell(row).chars().count()).max().unwrap_or_default()
    };
    let (first, second, third) =
        (width(|[a, ..]| a), width(|[_, b, ..]| b), width(|[_, _, c, _]| c));
    for [a, b, c, d] in rows {
        writeln!(out, "  {a:first$}  {b:>second$}  {c:>third$}  {d}")?;
    }
    Ok(())
}
