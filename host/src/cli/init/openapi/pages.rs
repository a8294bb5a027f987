//! The parameters of an operation, and the paginator and cursor that they suggest.

use serde_json::{Map, Value, json};

use super::super::names::{
    LAST_KEY_PARAMS, LIMITS, MORE, OFFSETS, PAGE_TOTALS, PAGES, SINCE, TOKEN_PARAMS, TOKENS,
    TOTALS, cursor_rank, first, plain,
};
use super::super::sample::{last_record, path_of, tells_changes};
use super::super::schema::{Schemas, text};
use super::list::{List, is_url};

/// A parameter of an operation.
pub(super) struct Parameter<'d> {
    pub(super) name: &'d str,
    /// `query`, `path` or `header`.
    pub(super) place: &'d str,
    pub(super) required: bool,
    /// The schema of its values.
    pub(super) schema: &'d Value,
}

impl Parameter<'_> {
    /// The default, or the first of the allowed values.
    pub(super) fn value(&self) -> Option<&Value> {
        let value = self.schema.get("default").or_else(|| self.schema.get("enum")?.get(0));
        value.filter(|it| !it.is_object() && !it.is_array() && !it.is_null())
    }
}

/// The parameters of an operation and of its path.
pub(super) fn parameters<'d>(
    schemas: &Schemas<'d>,
    item: &'d Value,
    operation: &'d Value,
) -> Vec<Parameter<'d>> {
    let mut found: Vec<Parameter<'d>> = Vec::new();
    for list in [operation.get("parameters"), item.get("parameters")] {
        for parameter in list.and_then(Value::as_array).into_iter().flatten() {
            let parameter = schemas.resolve(parameter);
            let (Some(name), Some(place)) =
                (text(parameter.get("name")), text(parameter.get("in")))
            else {
                continue;
            };
            if found.iter().any(|it| it.name == name && it.place == place) {
                continue;
            }
            found.push(Parameter {
                name,
                place,
                required: parameter.get("required") == Some(&Value::Bool(true)),
                // Swagger 2 has the type in the parameter itself.
                schema: parameter.get("schema").map_or(parameter, |it| schemas.resolve(it)),
            });
        }
    }
    found
}

/// The query of a list, and its response.
pub(super) struct Query<'q, 'd> {
    pub(super) list: &'q List<'d>,
    /// The parameters of the query.
    pub(super) parameters: Vec<&'q Parameter<'d>>,
    /// The key of the records.
    pub(super) key: Option<&'q str>,
}

/// A paginator, and parameters that belong to it.
#[derive(Default)]
pub(super) struct DescribedPages {
    pub(super) paginator: Option<Value>,
    pub(super) params: Map<String, Value>,
    /// A comment.
    pub(super) note: Option<String>,
}

impl<'d> Query<'_, 'd> {
    fn first(&self, names: &[&str]) -> Option<&'d str> {
        first(self.parameters.iter().map(|it| it.name), names)
    }

    fn schema(&self, name: &str) -> &'d Value {
        self.parameters.iter().find(|it| it.name == name).map_or(&Value::Null, |it| it.schema)
    }

    /// The size of a page: the maximum up to 1000, else the default, else 100.
    fn size(&self, limit: &str) -> u64 {
        let schema = self.schema(limit);
        let number = |key: &str| schema.get(key).and_then(Value::as_u64).filter(|n| *n > 0);
        number("maximum").filter(|n| *n <= 1000).or_else(|| number("default")).unwrap_or(100)
    }

    /// The paginator, and a parameter that requests large pages.
    pub(super) fn pages(&self) -> DescribedPages {
        let limit = self.first(LIMITS);
        let mut pages = DescribedPages::default();
        let more = self.list.find(MORE, is_boolean).map(path_of);
        let (paginator, counts) = self.paginator(limit, more.as_deref());
        if let Some(limit) = limit.filter(|_| !counts) {
            pages.params.insert(limit.to_owned(), self.size(limit).into());
        }
        if let Some(param) = text(paginator.get("cursor_param")) {
            // Some APIs need a switch for tokens, such as `usemarker`.
            let switch = format!("use{}", plain(param));
            if let Some(name) = self.first(&[&switch]) {
                pages.params.insert(name.to_owned(), true.into());
            }
        }
        pages.note = match (&paginator, self.first(TOKEN_PARAMS)) {
            (Value::Null, Some(param)) => Some(format!(
                "The parameter {param} asks for the next page, but the description does not say where \
                 the answer has its value: {{\"type\": \"cursor\", \"cursor_path\": \"..\", \"cursor_param\": {param:?}}}."
            )),
            (Value::Null, None) => {
                let note = "The description shows no pages: the load finds the paginator in the first answer.";
                Some(note.to_owned())
            }
            (paginator, _) if paginator.get("cursor_path").is_some_and(is_last_record) => Some(
                "The answer says only whether there are more pages: that the key of the last record asks \
                 for the next one is a guess."
                    .to_owned(),
            ),
            _ => None,
        };
        pages.paginator = Some(paginator).filter(|it| !it.is_null());
        pages
    }

    /// The paginator or null, and whether it includes the parameter for the page size.
    fn paginator(&self, limit: Option<&str>, more: Option<&str>) -> (Value, bool) {
        if self.list.link_header {
            return ("header_link".into(), false);
        }
        let with_more = |mut paginator: Value| {
            if let (Some(paginator), Some(more)) = (paginator.as_object_mut(), more) {
                paginator.insert("has_more_path".to_owned(), more.into());
            }
            paginator
        };
        let token = self.list.find(TOKENS, |schema| !is_url(schema) && !is_boolean(schema));
        if let (Some(token), Some(param)) = (token, self.first(TOKEN_PARAMS)) {
            let paginator =
                json!({"type": "cursor", "cursor_path": path_of(token), "cursor_param": param});
            return (with_more(paginator), false);
        }
        if let Some(path) = self.list.next_link() {
            return (json!({"type": "json_link", "next_url_path": path_of(path)}), false);
        }
        if let (Some(param), Some(key), Some(_)) = (self.first(LAST_KEY_PARAMS), self.key, more) {
            let path = last_record(&self.list.path, key);
            let paginator = json!({"type": "cursor", "cursor_path": path, "cursor_param": param});
            return (with_more(paginator), false);
        }
        let total = |names: &[&str]| self.list.find(names, |_| true).map(path_of);
        if let (Some(offset), Some(limit)) = (self.first(OFFSETS), limit) {
            let paginator = json!({
                "type": "offset", "limit": self.size(limit), "offset_param": offset,
                "limit_param": limit, "total_path": total(TOTALS),
            });
            return (with_more(paginator), true);
        }
        if let Some(page) = self.first(PAGES) {
            let base = |key: &str| self.schema(page).get(key).and_then(Value::as_u64);
            let base = base("minimum").or(base("default")).unwrap_or(1).min(1);
            let paginator = json!({
                "type": "page_number", "base_page": base, "page_param": page,
                "total_path": total(PAGE_TOTALS),
            });
            return (with_more(paginator), false);
        }
        (Value::Null, false)
    }

    /// Sets the cursor of the endpoint if a parameter requests changes, or else adds a comment with
    /// the best field.
    pub(super) fn cursor(&self, schemas: &Schemas<'d>, endpoint: &mut Map<String, Value>) {
        let mut found: Vec<(usize, &str)> = self
            .list
            .record
            .iter()
            .filter(|(_, schema)| {
                let format = text(schemas.resolve(schema).get("format")).unwrap_or_default();
                matches!(format, "date-time" | "date" | "timestamp")
            })
            .filter_map(|(name, _)| Some((cursor_rank(name)?, *name)))
            .collect();
        found.sort_unstable();
        match (found.first(), self.first(SINCE)) {
            (Some((_, path)), Some(since)) => {
                endpoint.insert(
                    "//incremental".to_owned(),
                    "That the parameter means this field is a guess.".into(),
                );
                endpoint.insert(
                    "incremental".to_owned(),
                    json!({
                        "cursor_path": path, "initial_value": "1970-01-01T00:00:00Z",
                        "start_param": since,
                    }),
                );
            }
            (Some((_, path)), None) if tells_changes(path) => {
                let note = format!(
                    "{path} is the time of a change, but no parameter asks for changes: {{\"cursor_path\": {path:?}}} would \
                     read all records and load the newer ones."
                );
                endpoint.insert("//incremental".to_owned(), note.into());
            }
            _ => {}
        }
    }
}

fn is_boolean(schema: &Value) -> bool {
    text(schema.get("type")) == Some("boolean")
}

fn is_last_record(path: &Value) -> bool {
    path.as_str().is_some_and(|path| path.contains("[-1]"))
}
